"""The training loop: read its chapter headings as a table of contents."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from swapmark.data.cache import ImageSet
from swapmark.data.tensors import as_model_input
from swapmark.data.views import make_batch
from swapmark.drawing.plots import plot_losses
from swapmark.errors import TrainingError
from swapmark.model.devices import mean_over_devices
from swapmark.model.familiar import FILE, MOST, learn_familiar, pool
from swapmark.model.model import SwapModel
from swapmark.model.store import save_model
from swapmark.training.card import model_card
from swapmark.training.config import Config
from swapmark.training.monitor import check_landmarks
from swapmark.training.processes import device_share, noting_stop, with_others
from swapmark.training.progress import Progress
from swapmark.training.run import Run, checkpoint_paths
from swapmark.training.samples import draw_samples
from swapmark.training.schedule import batch_indices, rate_factor
from swapmark.training.state import (
    State,
    load_checkpoint,
    make_accelerator,
    make_state,
    save_checkpoint,
)

PROBES = 64
"""Images on which the landmarks are watched; the first few of them make the sample sheets."""
EARLY = 100
"""The step after which the first sample sheet is drawn, whatever the intervals, and the first
checkpoint is written, unless its interval is set."""
CHECKPOINT_SECONDS = 120
"""Between checkpoints whose interval in steps is not set."""


@with_others()
def train_loop(
    run: Run,
    config: Config,
    images: ImageSet,
    *,
    resume: bool = False,
    progress: bool = True,
    on_checkpoint: Callable[[Run, int], None] | None = None,
) -> None:
    """Train in `run`, which this process holds, from the start to the end of the schedule.

    With `resume` it goes on from the last checkpoint, if there is one. `on_checkpoint` is called
    with the run and the step when model and checkpoint are written.

    Raises TrainingError when the loss is not a number, OutputError when the disk is full, and
    KeyboardInterrupt, after saving, when the user asks to stop.
    """
    # Set up the devices, the networks and the optimiser; go on from the last checkpoint.
    accelerator = make_accelerator(config)
    main, device = accelerator.is_main_process, accelerator.device
    training, steps, batch_size = config.training, config.training.steps, config.training.batch_size
    share = device_share(batch_size, accelerator.process_index, accelerator.num_processes)
    state = make_state(config, accelerator)
    show = progress and main
    report = _begin(run, config, state, resume=resume, main=main, show=show)
    chosen = np.random.default_rng(0).permutation(len(images))[:PROBES]
    probes = as_model_input(torch.from_numpy(images.batch(chosen)), device)
    stopping, saved = False, time.monotonic()
    started = saved - state.seconds

    def load(step: int) -> np.ndarray:
        # The pictures of the whole batch; only this device's share is read, the rest is 0.
        indices = batch_indices(step, batch_size, len(images), training.seed)
        pictures = np.zeros((batch_size, images.size, images.size, 3), dtype=np.uint8)
        pictures[share] = images.batch(indices[share])
        return pictures

    with ThreadPoolExecutor(1) as loader, report, noting_stop(tell=show) as asked:
        upcoming = loader.submit(load, state.step)
        while state.step < steps and not stopping:
            # Make the views of this step while the next step's images are read.
            step = state.step
            pictures = torch.from_numpy(upcoming.result())
            if step + 1 < steps:
                upcoming = loader.submit(load, step + 1)
            generator = torch.Generator().manual_seed(training.seed * 1_000_003 + step)
            batch = make_batch(pictures, config.views, generator, share=share, device=device)
            # Compute the losses and their gradient.
            for group in state.optimizer.param_groups:
                group["lr"] = group["peak"] * rate_factor(step, steps, training.warmup)
            terms = state.prepared(batch, step / steps)
            state.optimizer.zero_grad(set_to_none=True)
            accelerator.backward(terms["loss"])
            norm = torch.nn.utils.clip_grad_norm_(state.trained, training.clip)
            # Stop on a loss that is not a number, before it reaches the weights; on all devices at
            # the same step, or the others wait for ever.
            wrong = ~(torch.isfinite(terms["loss"]) & torch.isfinite(norm))
            stop = torch.tensor(asked.is_set(), device=device)
            agreed = torch.stack([value.float() for value in (wrong, stop, *terms.values())])
            broken, stopping, *values = mean_over_devices(agreed).tolist()
            if broken:
                kept = checkpoint_paths(run.checkpoints)
                good = f"The last good checkpoint is {kept[0]}." if kept else "None was saved yet."
                raise TrainingError(
                    f"The loss is not a finite number at step {step + 1}. {good} Start a run with "
                    f"a smaller learning rate (--set training.learning_rate="
                    f"{training.learning_rate / 4:g}) or full precision "
                    f"(--set training.precision=float32)."
                )
            # Follow the gradient.
            state.optimizer.step()
            state.update_average(training.average)
            state.step += 1
            report.advance()
            if not main:
                continue
            # Decide what is written.
            state.history.append(dict(zip(terms, values, strict=True)))
            state.seconds = time.monotonic() - started
            due = state.step == EARLY or time.monotonic() - saved >= CHECKPOINT_SECONDS
            if every := training.checkpoint_every:
                due = state.step % every == 0
            saving = due or bool(stopping) or state.step == steps
            drawing = state.step in (EARLY, steps) or state.step % training.sample_every == 0
            logging = drawing or state.step % training.log_every == 0
            # Write metrics, pictures, the model, and last of all the checkpoint: after a cut
            # between them, what a resumed run does again is what was not finished.
            if logging:
                health = check_landmarks(state.average, probes)
                line = {"step": state.step, "seconds": round(state.seconds, 1)}
                line |= _means(state.history)
                line |= {k: round(x, 4) for k, x in asdict(health).items() if math.isfinite(x)}
                run.append_metrics(line)
                state.history.clear()
                report.log(line)
                late = state.step >= max(100, steps // 5)
                for kind, text in (health.warnings() if late else {}).items():
                    report.warn(kind, text)
            if drawing:
                swap_back = config.method == "c3" and config.c3.cycle > 0
                draw_samples(run, state.average, probes, state.step, swap_back=swap_back)
            if (drawing or saving) and (lines := run.metrics()):
                plot_losses(lines, run.path / "loss.png", config.swaps_begin)
            if saving:
                save_model(run.model, state.average, model_card(run, config, state.step))
                last = bool(stopping) or state.step == steps
                keep_familiar(run.model, state.average, images, batch_size, last=last)
                save_checkpoint(run.checkpoints, state.state_dict(), state.step)
                saved = time.monotonic()
                if on_checkpoint:
                    on_checkpoint(run, state.step)
    accelerator.end_training()
    if state.step < steps:
        raise KeyboardInterrupt


@torch.inference_mode()
def keep_familiar(
    folder: Path, model: SwapModel, images: ImageSet, batch_size: int, *, last: bool
) -> None:
    """Keep in the model folder what its training pictures look like, with the last model of all."""
    if not last:  # what an earlier end of the run kept is of other weights
        (folder / FILE).unlink(missing_ok=True)
        return
    device = next(model.parameters()).device
    chosen = np.random.default_rng(1).permutation(len(images))[:MOST]
    features = []
    for rows in np.array_split(chosen, -(-len(chosen) // batch_size)):
        maps = model.backbone(as_model_input(torch.from_numpy(images.batch(rows)), device))
        features.append(pool([level.permute(0, 2, 3, 1).cpu().numpy() for level in maps]))
    if familiar := learn_familiar(np.concatenate(features)):
        familiar.save(folder)


def _begin(
    run: Run, config: Config, state: State, *, resume: bool, main: bool, show: bool
) -> Progress:
    """Fill in the state from the last checkpoint to resume from, and make the run fit it."""
    checkpoint = load_checkpoint(run.checkpoints) if resume else None
    if checkpoint:
        state.restore(checkpoint[0], run)
    report = Progress(config, state.step, show=show)
    if checkpoint and checkpoint[1] != (newest := checkpoint_paths(run.checkpoints)[0]):
        report.warn("checkpoint", f"{newest} cannot be read; going on from {checkpoint[1].name}.")
    if main:
        run.keep_metrics_until(state.step)
    if main and checkpoint:
        save_model(run.model, state.average, model_card(run, config, state.step))
    return report


def _means(history: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each term over the steps that had it, with six digits."""
    terms: dict[str, list[float]] = {}
    for step in history:
        for name, value in step.items():
            terms.setdefault(name, []).append(value)
    return {name: float(f"{fmean(values):.6g}") for name, values in terms.items()}
