"""What changes during training: the networks, the optimiser, and how far they are."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn

from swapmark.errors import InputError, RunError
from swapmark.model.model import SwapModel
from swapmark.objectives.c3 import C3
from swapmark.objectives.imm import Imm
from swapmark.objectives.perceptual import PerceptualDistance
from swapmark.training.checkpoint import one_line
from swapmark.training.config import Config
from swapmark.training.processes import process_state
from swapmark.training.run import Run

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

    @property
    def trained(self) -> list[Tensor]:
        """All tensors that follow the gradient."""
        return [value for group in self.optimizer.param_groups for value in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """Plain tensors and numbers only, so that reading it runs no code."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "objective": _kept(self.objective.state_dict()),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, saved: dict[str, Any], run: Run) -> None:
        """Fill in what `state_dict` gave; raises RunError if it is of other networks."""
        try:
            self.step, self.seconds = saved["step"], saved["seconds"]
            own = self.objective.state_dict()
            if missing := _kept(own).keys() - saved["objective"].keys():
                raise KeyError(min(missing))
            self.objective.load_state_dict(own | saved["objective"])
            self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise RunError(
                f"The checkpoint in {run.checkpoints} does not fit {run.config} "
                f"({one_line(error)}). Was the configuration edited? Put it back, or start again "
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
    precision, device = config.training.precision, process_state().device
    if precision == "auto":
        precision = "bfloat16" if _native_bfloat16(device) else "float32"
    # A second run in one Python session may want another precision, which Accelerate refuses.
    AcceleratorState._reset_state()
    # The flow's filter gets no gradient until the flow fades in.
    partly = DistributedDataParallelKwargs(find_unused_parameters=config.c3.flow_consensus)
    return Accelerator(
        mixed_precision="bf16" if precision == "bfloat16" else "no", kwargs_handlers=[partly]
    )


def _native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def make_state(config: Config, accelerator: Accelerator) -> State:
    """Build networks, objective and optimiser, the same on every device.

    Raises InputError if no networks can be built from these settings.
    """
    training = config.training
    frozen = not training.backbone_rate
    # Made on the CPU: to fork the generators of several GPUs takes time and warns.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(training.seed)
        try:
            model = SwapModel(config.model)
        except (ValueError, RuntimeError) as error:
            raise InputError(f"No networks can be built from model: {error}") from error
        model.backbone.requires_grad_(not frozen)
        # In bfloat16 they are not the same: on a CPU the backbone stays in float32, P does not.
        exact = accelerator.mixed_precision == "no"
        perceptual = PerceptualDistance(
            config.perceptual_vgg, shared=frozen and exact and not config.perceptual_vgg
        )
        perceptual.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if config.method == "c3":
            objective = C3(model, perceptual, config.c3)
        else:
            objective = Imm(model, perceptual)
    average = deepcopy(model).requires_grad_(False).eval().to(accelerator.device)
    groups: dict[bool, list[Tensor]] = {True: [], False: []}
    for name, value in objective.named_parameters():
        if value.requires_grad:
            groups[name.startswith("model.backbone.")].append(value)
    rate = training.learning_rate
    optimizer = torch.optim.AdamW(
        [
            {"params": groups[True], "peak": rate * training.backbone_rate},
            {"params": groups[False], "peak": rate},
        ],
        lr=rate,
        weight_decay=training.weight_decay,
        fused=True,
    )
    return State(objective, accelerator.prepare_model(objective), average, optimizer)


def _kept(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in values.items() if not name.startswith(_FROZEN)}
