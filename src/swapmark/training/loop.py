"""The training loop: read its chapter headings as a table of contents."""

import math
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from swapmark.data.augment import Batch, make_batch
from swapmark.data.cache import ImageSet
from swapmark.errors import RunError, TrainingError
from swapmark.model.model import SwapModel
from swapmark.objectives.c3 import C3
from swapmark.objectives.imm import Imm
from swapmark.objectives.perceptual import PerceptualDistance
from swapmark.training.card import model_card
from swapmark.training.checkpoint import load_checkpoint, save_checkpoint, save_model
from swapmark.training.config import Config
from swapmark.training.monitor import check_landmarks
from swapmark.training.progress import Progress
from swapmark.training.run import Run
from swapmark.training.samples import draw_history, draw_samples
from swapmark.training.schedule import batch_indices, rate_factor

PROBES = 64
"""Images on which the landmarks are watched; the first few of them make the sample sheets."""


@dataclass
class State:
    """Everything that changes during training and is kept in a checkpoint."""

    objective: nn.Module
    average: SwapModel
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    @property
    def model(self) -> SwapModel:
        """The model being trained, out of whatever wraps the objective."""
        return getattr(self.objective, "module", self.objective).model

    @property
    def perceptual(self) -> PerceptualDistance:
        """The perceptual distance with its running means."""
        return getattr(self.objective, "module", self.objective).perceptual

    def state_dict(self) -> dict[str, Any]:
        """Plain tensors and numbers only, so that reading it runs no code."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "running": self.perceptual.running,
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Fill in what `state_dict` gave."""
        self.step, self.seconds = state["step"], state["seconds"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.perceptual.running.copy_(state["running"])
        self.optimizer.load_state_dict(state["optimizer"])


def train_loop(run: Run, config: Config, images: ImageSet, *, progress: bool = True) -> None:
    """Train in `run` from its last checkpoint, or from the start, to the end of the schedule.

    Raises TrainingError when the loss is not a number, and KeyboardInterrupt, after saving, when
    the user asks to stop.
    """
    # Set up the devices, the nets and the optimiser.
    accelerator = make_accelerator(config)
    state = make_state(config, accelerator)
    training = config.training
    steps, batch_size = training.steps, training.batch_size
    share = device_share(batch_size, accelerator)
    # Go on from the last checkpoint, if there is one.
    checkpoint = load_checkpoint(run.checkpoints)
    if checkpoint:
        _restore(state, checkpoint[0], run)
    main = accelerator.is_main_process
    if main:
        run.keep_metrics_until(state.step)
    probes = _pictures(images, _probe_indices(len(images)), accelerator.device)
    report = Progress(
        total=steps, done=state.step, batch=batch_size, show=progress and main, run=run.path
    )
    history: list[dict[str, Tensor]] = []
    interrupted = _Interrupt()
    started = time.monotonic() - state.seconds

    def load(step: int) -> np.ndarray:
        return _global_batch(images, step, config, share)

    with ThreadPoolExecutor(1) as loader, report, interrupted:
        upcoming = loader.submit(load, state.step)
        while state.step < steps:
            # Make the views of this step while the next step's images are read.
            step = state.step
            pictures = torch.from_numpy(upcoming.result())
            if step + 1 < steps:
                upcoming = loader.submit(load, step + 1)
            batch = _views(pictures, step, config, share, accelerator.device)
            # Compute the losses and follow the gradient.
            for group in state.optimizer.param_groups:
                group["lr"] = group["peak"] * rate_factor(step, steps, training.warmup)
            terms = state.objective(batch, step / steps)
            state.optimizer.zero_grad(set_to_none=True)
            accelerator.backward(terms["loss"])
            norm = accelerator.clip_grad_norm_(state.model.parameters(), training.clip)
            # Stop on a loss that is not a number, before it reaches the weights.
            if not (torch.isfinite(terms["loss"]) and torch.isfinite(norm)):
                _save_nothing_more(run, step, accelerator)
            state.optimizer.step()
            _update_average(state, training.average)
            state.step += 1
            history.append({name: value.detach() for name, value in terms.items()})
            report.advance()
            # Write metrics, samples and checkpoints.
            last = state.step == steps
            stopping = interrupted.agreed(accelerator)
            if last or state.step % training.log_every == 0:
                state.seconds = time.monotonic() - started
                _log(run, state, config, history, probes, report, accelerator)
                history.clear()
            sampling = state.step == 100 or state.step % training.sample_every == 0
            if main and (last or sampling):
                draw_samples(run, state.average, probes, state.step)
            if last or stopping or state.step % training.checkpoint_every == 0:
                state.seconds = time.monotonic() - started
                if main:
                    save_checkpoint(run.checkpoints, state.state_dict(), state.step)
                    card = model_card(run, config, state.step)
                    save_model(run.model, state.average, training.fit, card)
            if stopping and not last:
                raise KeyboardInterrupt
    accelerator.end_training()


def make_accelerator(config: Config) -> Accelerator:
    """Accelerate with the precision asked for; `auto` takes bfloat16 where it is native."""
    precision = config.training.precision
    if precision == "auto":
        precision = "bfloat16" if _native_bfloat16() else "float32"
    return Accelerator(mixed_precision="bf16" if precision == "bfloat16" else "no")


def _native_bfloat16() -> bool:
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if torch.backends.mps.is_available():
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def make_state(config: Config, accelerator: Accelerator) -> State:
    """Build nets, objective and optimiser, the same on every device."""
    training = config.training
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        model = SwapModel(config.model)
    perceptual = PerceptualDistance(config.perceptual_vgg).to(memory_format=torch.channels_last)
    objective = (
        C3(model, perceptual, config.c3) if config.method == "c3" else Imm(model, perceptual)
    )
    average = deepcopy(model).requires_grad_(False).eval().to(accelerator.device)
    backbone = list(model.backbone.parameters())
    heads = [value for name, value in model.named_parameters() if not name.startswith("backbone.")]
    rate = training.learning_rate
    optimizer = torch.optim.AdamW(
        [
            {"params": backbone, "peak": rate * training.backbone_rate},
            {"params": heads, "peak": rate},
        ],
        lr=rate,
        weight_decay=training.weight_decay,
    )
    prepared = accelerator.prepare_model(objective)
    return State(prepared, average, optimizer)


def device_share(batch_size: int, accelerator: Accelerator) -> slice:
    """The images of the global batch that this process takes: whole pairs, in order."""
    count = accelerator.num_processes
    if batch_size % (2 * count):
        raise TrainingError(
            f"training.batch_size is {batch_size}; with {count} devices it must be a multiple of "
            f"{2 * count}, so that each device gets whole pairs."
        )
    each = batch_size // count
    return slice(accelerator.process_index * each, (accelerator.process_index + 1) * each)


def _restore(state: State, saved: dict[str, Any], run: Run) -> None:
    try:
        state.load_state_dict(saved)
    except (KeyError, RuntimeError, ValueError) as error:
        raise RunError(
            f"The checkpoint in {run.checkpoints} does not fit {run.config}: {error}. Was the "
            f"configuration edited? Start again with --overwrite."
        ) from error


def _probe_indices(count: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(count)[:PROBES]


def _pictures(images: ImageSet, indices: np.ndarray, device: torch.device) -> Tensor:
    pictures = torch.from_numpy(images.batch(indices)).to(device)
    return pictures.permute(0, 3, 1, 2).float() / 255


def _global_batch(images: ImageSet, step: int, config: Config, share: slice) -> np.ndarray:
    """The pictures of the whole step's batch; only this device's share is read, the rest is 0."""
    batch_size = config.training.batch_size
    indices = batch_indices(step, batch_size, len(images), config.training.seed)
    pictures = np.zeros((batch_size, images.size, images.size, 3), dtype=np.uint8)
    pictures[share] = images.batch(indices[share])
    return pictures


def _views(
    pictures: Tensor, step: int, config: Config, share: slice, device: torch.device
) -> Batch:
    generator = torch.Generator().manual_seed(config.training.seed * 1_000_003 + step)
    return make_batch(pictures, config.views, generator, share=share, device=device)


@torch.no_grad()
def _update_average(state: State, decay: float) -> None:
    """Move the averaged weights towards the trained ones, faster in the first steps."""
    rate = 1 - min(decay, (state.step + 1) / (state.step + 10)) if decay else 1.0
    pairs = zip(state.average.parameters(), state.model.parameters(), strict=True)
    for slow, fast in pairs:
        slow.lerp_(fast, rate)


def _save_nothing_more(run: Run, step: int, accelerator: Accelerator) -> None:
    checkpoint = load_checkpoint(run.checkpoints)
    kept = f"The last good checkpoint is {checkpoint[1]}." if checkpoint else "None was saved yet."
    raise TrainingError(
        f"The loss is not a finite number at step {step + 1}. {kept} Start a run with a smaller "
        f"learning rate (--set training.learning_rate=0.0003) or full precision "
        f"(--set training.precision=float32)."
    )


def _log(
    run: Run,
    state: State,
    config: Config,
    history: list[dict[str, Tensor]],
    probes: Tensor,
    report: Progress,
    accelerator: Accelerator,
) -> None:
    names = list(history[0])
    table = torch.stack([torch.stack([line[name].float() for name in names]) for line in history])
    means = accelerator.reduce(table.mean(dim=0), reduction="mean")
    if not accelerator.is_main_process:
        return
    health = check_landmarks(state.average, probes)
    line = {
        "step": state.step,
        "seconds": round(state.seconds, 1),
        **{name: round(float(value), 6) for name, value in zip(names, means, strict=True)},
        **{name: round(value, 4) for name, value in health.metrics().items() if _finite(value)},
    }
    run.append_metrics(line)
    draw_history(run)
    report.log(line)
    if state.step >= max(100, config.training.steps // 5):
        for warning in health.warnings():
            report.warn(warning)


def _finite(value: float) -> bool:
    return math.isfinite(value)


class _Interrupt:
    """Ctrl-C noted, and acted upon at the end of the step; a second one stops at once."""

    def __init__(self):
        self.asked = False

    def __enter__(self):
        self.previous = None
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_):
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def _note(self, *_):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def agreed(self, accelerator: Accelerator) -> bool:
        """Whether any process was asked to stop: all must leave the loop at the same step."""
        if accelerator.num_processes == 1:
            return self.asked
        asked = torch.tensor([float(self.asked)], device=accelerator.device)
        return bool(accelerator.reduce(asked, reduction="sum").item())
