"""What changes during training: networks, optimiser, how far they are; and its checkpoints."""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn

from swapmark.errors import RunError, one_line
from swapmark.files import write_atomically
from swapmark.model.model import SwapModel
from swapmark.objectives.c3 import C3
from swapmark.objectives.imm import Imm
from swapmark.objectives.perceptual import PerceptualDistance
from swapmark.training.config import Config
from swapmark.training.run import Run, checkpoint_paths

KEPT = 2
"""Checkpoints kept in a run: the newest, and one more in case that is damaged."""
# The weights of the frozen network come with the package, and need no place in a checkpoint.
_FROZEN = "perceptual.network."


@dataclass
class State:
    """Everything that changes during training and is kept in a checkpoint."""

    objective: C3 | Imm
    """The loss with the networks in it."""
    prepared: nn.Module
    """The same for several devices and mixed precision: what a step calls."""
    average: SwapModel
    """The moving average of the networks: what is watched, drawn and exported."""
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    """The terms of each step since the last line of metrics."""

    @property
    def trained(self) -> list[Tensor]:
        """All tensors that follow the gradient."""
        return [value for group in self.optimizer.param_groups for value in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """Plain tensors and numbers only, so that reading it runs no code."""
        objective = self.objective.state_dict()
        return {
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "objective": {k: v for k, v in objective.items() if not k.startswith(_FROZEN)},
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, saved: dict[str, Any], run: Run) -> None:
        """Fill in what `state_dict` gave; raises RunError if it is of other networks."""
        try:
            self.step, self.seconds = saved["step"], saved["seconds"]
            self.history = list(saved.get("history", ()))  # earlier versions wrote a line first
            keys = self.objective.load_state_dict(saved["objective"], strict=False)
            for name in (*keys.missing_keys, *keys.unexpected_keys):
                if not name.startswith(_FROZEN):
                    raise KeyError(name)
            self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise RunError(
                f"The checkpoint in {run.checkpoints} does not fit {run.config} "
                f"({one_line(error)}). Was the configuration edited, or was "
                f"the run begun by an earlier version of swapmark? Put it back, or start again "
                f"with --overwrite."
            ) from error

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the averaged weights towards the trained ones, faster in the first steps."""
        rate = 1 - min(decay, (self.step + 1) / (self.step + 10)) if decay else 1.0
        pairs = zip(self.average.parameters(), self.objective.model.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, rate)


def make_accelerator(config: Config) -> Accelerator:
    """Accelerate with the precision asked for; `auto` takes bfloat16 where it is native."""
    precision, device = config.training.precision, str(PartialState().device)
    if precision == "auto" and device.startswith("cuda"):
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif precision == "auto":
        native = device == "cpu" and (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        )
    else:
        native = precision == "bfloat16"
    # A second run in one Python session may want another precision, which Accelerate refuses.
    AcceleratorState._reset_state()
    # The flow's filter gets no gradient until the flow fades in.
    partly = DistributedDataParallelKwargs(find_unused_parameters=config.c3.flow_consensus)
    return Accelerator(mixed_precision="bf16" if native else "no", kwargs_handlers=[partly])


def make_state(config: Config, accelerator: Accelerator) -> State:
    """Build networks, objective and optimiser, the same on every device."""
    training = config.training
    frozen = not training.backbone_rate
    # Made on the CPU: to fork the generators of several GPUs takes time and warns.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(training.seed)
        model = SwapModel(config.model)
        model.backbone.requires_grad_(not frozen)
        # In bfloat16 they are not the same: on a CPU the backbone stays in float32, P does not.
        exact = accelerator.mixed_precision == "no"
        perceptual = PerceptualDistance(
            config.perceptual_vgg, shared=frozen and exact and not config.perceptual_vgg
        )
        perceptual.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        c3 = config.c3 if config.method == "c3" else None
        objective = C3(model, perceptual, c3) if c3 else Imm(model, perceptual)
    average = deepcopy(model).requires_grad_(False).eval().to(accelerator.device)
    backbone, others = [], []
    for name, value in objective.named_parameters():
        if value.requires_grad:
            (backbone if name.startswith("model.backbone.") else others).append(value)
    rate = training.learning_rate
    groups = [
        {"params": backbone, "peak": rate * training.backbone_rate},
        {"params": others, "peak": rate},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=training.weight_decay, fused=True)
    return State(objective, accelerator.prepare_model(objective), average, optimizer)


def save_checkpoint(folder: Path, state: dict[str, Any], step: int) -> Path:
    """Write checkpoints/step-N.pt, and drop all but the newest `KEPT`."""

    def save(partial: Path) -> None:
        try:
            torch.save(state, partial)
        except RuntimeError as error:  # torch reports a full disk so
            raise OSError(str(error)) from error

    path = write_atomically(folder / f"step-{step:07d}.pt", save)
    for old in checkpoint_paths(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], Path] | None:
    """The newest readable checkpoint of a run, or None where there is none.

    Read with weights_only=True: a checkpoint from a stranger runs no code. Raises RunError when
    there are checkpoints and none can be read.
    """
    paths = checkpoint_paths(folder)
    for path in paths:
        try:
            return torch.load(path, map_location="cpu", weights_only=True), path
        except Exception:  # a damaged file raises a dozen different errors; the next is tried
            continue
    if paths:
        raise RunError(
            f"None of the {len(paths)} checkpoints in {folder} can be read. "
            f"Start again with --overwrite."
        )
    return None
