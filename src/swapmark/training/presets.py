"""The presets: each is a documented experiment, with its result in docs/experiments.md."""

from typing import Any, Literal

PresetName = Literal["laptop", "standard", "paper", "demo"]

PRESETS: dict[str, dict[str, Any]] = {
    # 64 px on a CPU, pretrained backbone.
    "laptop": {
        "model": {"image_size": 64, "backbone": "efficientnet"},
        "training": {"steps": 2000, "batch_size": 32},
    },
    # 128 px on one GPU, pretrained backbone.
    "standard": {
        "model": {"image_size": 128, "backbone": "efficientnet"},
        "training": {"steps": 10000, "batch_size": 64},
    },
    # 64 px drawn faces, minutes on a CPU.
    "demo": {
        "model": {"image_size": 64, "backbone": "efficientnet"},
        "training": {"steps": 300, "batch_size": 32, "sample_every": 300, "checkpoint_every": 300},
    },
    # 128 px from random weights.
    "paper": {
        "model": {"image_size": 128, "backbone": "plain", "landmark_width": 128},
        "training": {"steps": 60000, "batch_size": 50},
    },
}
