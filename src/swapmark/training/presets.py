"""The presets: each is an experiment; how `laptop` was found is in docs/lab-notebook.md."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from swapmark.errors import InputError
from swapmark.training.config import Config, config_from_mapping, override, read_yaml

PRESETS: dict[str, dict[str, Any]] = {
    # 128 px on a CPU, pretrained backbone: many small steps, and the flow that looks near the
    # landmarks. Result, time: docs/results.md.
    "laptop": {
        "model": {"image_size": 128, "backbone": "efficientnet", "decoder_width": 64},
        "c3": {"nearby": 10.0},
        "training": {
            "steps": 3600,
            "batch_size": 8,
            "learning_rate": 0.008,
            "backbone_rate": 0.125,
        },
    },
    # 128 px on one GPU, pretrained backbone, as benchmarks/gpu.py ran it. Result: docs/results.md.
    "standard": {
        "model": {"image_size": 128, "backbone": "efficientnet"},
        "training": {
            "steps": 1600,
            "batch_size": 32,
            "learning_rate": 0.004,
            "backbone_rate": 0.25,
        },
    },
    # 128 px from random weights, in the sizes of Jakab et al. 2018, with both swaps, the flow and
    # its filter of Xu et al., on one GPU, run likewise.
    "paper": {
        "model": {"image_size": 128, "backbone": "plain", "landmark_width": 128},
        "c3": {"swap": 0.0, "cycle": 0.3, "equivariance": 10.0, "flow_consensus": True},
        "training": {"steps": 1100, "batch_size": 32},
    },
    # 64 px synthetic faces on a CPU, to end within minutes: a frozen backbone, many small steps at
    # a high rate, a narrow decoder, and L_inv late, without comparing swaps; many landmarks, so
    # that some settle on the mouth. How it was found: docs/lab-notebook.md.
    "demo": {
        "model": {
            "image_size": 64,
            "backbone": "efficientnet",
            "landmarks": 32,
            "decoder_width": 64,
        },
        "c3": {
            "swap": 0.0,
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
        },
    },
}

# `laptop` with a part left out or added: the ablations of docs/results.md.
ABLATIONS: dict[str, dict[str, Any]] = {
    "imm-plus": {"swap": 0.0, "inverse": 0.0, "nearby": 0.0},
    "both-swaps": {"swap": 0.0, "cycle": 0.3},
    "with-flow": {"equivariance": 10.0},
    "no-swap": {"swap": 0.0},
    "no-inverse": {"inverse": 0.0},
    "no-nearby": {"nearby": 0.0},
    "no-known-equivariance": {"known_equivariance": 0.0},
}
PRESETS |= {
    name: override(PRESETS["laptop"], {"c3": weights}) for name, weights in ABLATIONS.items()
}

# The rates of `laptop` and `demo` were chosen for c3. imm has no term that holds the landmarks, and
# with `laptop` they left the face at twice the rate here, in the one run that tried it
# (docs/lab-notebook.md). For `demo` no other was tried.
IMM_RATES: dict[str, dict[str, Any]] = {
    "laptop": {"training": {"learning_rate": 0.002, "backbone_rate": 0.5}},
    "demo": {"training": {"learning_rate": 0.001, "backbone_rate": 1.0}},
}


def resolve_config(
    *,
    preset: str | None = None,
    config: Config | str | Path | Mapping[str, Any] | None = None,
    landmarks: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    **sections: Any,
) -> Config:
    """Lay settings over one another, as `train` does: preset, `config`, sections, single values.

    `sections` are `model`, `views`, `c3`, `training` and `method`; all that is None is not given.
    A relative path of `perceptual_vgg` is made absolute, so that the run can be resumed from
    another folder. Raises InputError that names what is wrong.
    """
    preset = "laptop" if preset is None else preset
    if preset not in PRESETS:
        raise InputError(f"There is no preset {preset!r}; choose one of {', '.join(PRESETS)}.")
    if isinstance(config, Config):
        config = asdict(config)
    given = read_yaml(Path(config)) if isinstance(config, str | Path) else config or {}
    given = override(given, {k: value for k, value in sections.items() if value is not None})
    single = (("model", "landmarks", landmarks), ("training", "steps", steps))
    for section, name, value in (*single, ("training", "seed", seed)):
        if value is not None:
            given = override(given, {section: {name: value}})
    rates = IMM_RATES.get(preset, {}) if given.get("method") == "imm" else {}
    resolved = config_from_mapping(override(override(PRESETS[preset], rates), given))
    if not resolved.perceptual_vgg:
        return resolved
    return replace(resolved, perceptual_vgg=str(Path(resolved.perceptual_vgg).absolute()))
