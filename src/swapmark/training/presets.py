"""The presets: each is an experiment; how `laptop` was found is in docs/lab-notebook.md."""

from typing import Any, Literal

from swapmark.training.config import override

PresetName = Literal["laptop", "standard", "paper", "demo"]

PRESETS: dict[str, dict[str, Any]] = {
    # 128 px on a CPU, pretrained backbone: many small steps. Result, time: the tables in README.md.
    "laptop": {
        "model": {"image_size": 128, "backbone": "efficientnet", "decoder_width": 64},
        "training": {
            "steps": 3600,
            "batch_size": 4,
            "learning_rate": 0.008,
            "backbone_rate": 0.125,
        },
    },
    # 128 px on one GPU, pretrained backbone. Not run yet: no GPU was at hand.
    "standard": {
        "model": {"image_size": 128, "backbone": "efficientnet"},
        "training": {"steps": 10000, "batch_size": 64},
    },
    # 128 px from random weights, in the sizes of Jakab et al. 2018, with both swaps of Xu et al.
    # Not run yet, likewise.
    "paper": {
        "model": {"image_size": 128, "backbone": "plain", "landmark_width": 128},
        "c3": {"second_swap": True, "cycle": 0.3},
        "training": {"steps": 60000, "batch_size": 50},
    },
    # 64 px drawn faces on a CPU, to end within minutes: a frozen backbone, many small steps at a
    # high rate, a narrow decoder, and L_inv late, without L_cycle; many landmarks, so that some
    # settle on the mouth. How it was found: docs/lab-notebook.md. Result, time: README.md.
    "demo": {
        "model": {
            "image_size": 64,
            "backbone": "efficientnet",
            "landmarks": 32,
            "decoder_width": 64,
        },
        "c3": {
            "cycle": 0.0,
            "known_equivariance": 50.0,
            "separation": 0.2,
            "ramp_start": 0.8,
            "ramp_end": 0.85,
        },
        "training": {
            "steps": 1600,
            "batch_size": 4,
            "learning_rate": 0.012,
            "backbone_rate": 0.0,
            "log_every": 100,
            "checkpoint_every": 1600,
        },
    },
}

# The rates of `laptop` and `demo` were chosen for c3. imm has no term that holds the landmarks, and
# with `laptop` they left the face at twice the rate here, in the one run that tried it
# (docs/lab-notebook.md). For `demo` no other was tried.
IMM_RATES: dict[PresetName, dict[str, Any]] = {
    "laptop": {"training": {"learning_rate": 0.002, "backbone_rate": 0.5}},
    "demo": {"training": {"learning_rate": 0.001, "backbone_rate": 1.0}},
}


def preset_values(preset: PresetName, method: str | None) -> dict[str, Any]:
    """The nested settings of a preset for a method; `c3` if None.

    >>> preset_values("laptop", "imm")["training"]["learning_rate"]
    0.002
    """
    changes = IMM_RATES.get(preset, {}) if method == "imm" else {}
    return override(PRESETS[preset], changes)
