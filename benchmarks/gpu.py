"""What does a GPU give? Rates of a step, then several trainings at once, in a set time.

    python benchmarks/gpu.py --data FOLDER --out OUT --minutes 9

One command for one GPU without a network. FOLDER has what there is of faces-unlabelled.zip, lfw.zip
and aflw.zip; for the rest faces are drawn. Without a GPU it runs on the CPU, small: `--minutes 2`
is the test that it works. gpu_pack.py makes a folder to carry to a machine that has nothing.

First the device is measured: its rates, a step of c3 at several batches, eager and compiled, and
where the time goes. Then c3, c3 as in the paper, imm and imm-plus learn side by side, each from
ImageNet features and from random weights, as processes with a schedule that is set by time. Each is
scored on the way and at its end. One that fails takes no other with it, and one that is cut off
counts as it was scored last.

OUT gets at most 8 files of at most 16 MB: report.json (what was measured), runs.jsonl (a line a
run) and runs-N.zip (of each run its model in half precision, sample sheet, losses and log).
"""

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.device import device_rates, operations_of, profile_of, step_rate, waits_of
from harness.machine import circumstances
from swapmark.data.cache import ImageSet, load_images
from swapmark.data.images import Placement
from swapmark.data.items import Item
from swapmark.data.sources import list_images
from swapmark.data.tensors import as_model_input
from swapmark.data.views import ViewsConfig, make_batch
from swapmark.drawing.plots import plot_losses
from swapmark.faces.drawn import draw_faces, save_faces
from swapmark.files import write_text
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.model.store import save_model
from swapmark.objectives.c3 import C3, C3Config
from swapmark.objectives.imm import Imm
from swapmark.objectives.perceptual import PerceptualDistance
from swapmark.points.annotated import read_annotated
from swapmark.points.table import Points, default_names
from swapmark.predict.network import TorchNetwork
from swapmark.specimens.evaluate import evaluate
from swapmark.training.run import Run
from swapmark.training.samples import draw_samples

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
METHODS: dict[str, dict[str, Any] | None] = {
    "c3": {},
    "c3-paper": {"swap": 0.0, "cycle": 0.3, "equivariance": 10.0, "flow_consensus": True},
    "imm": None,  # its loss has no settings
    "imm-plus": {"swap": 0.0, "cycle": 0.0, "inverse": 0.0},
}
NETWORKS: dict[str, dict[str, Any]] = {
    "imagenet": {"backbone": "efficientnet"},
    "random": {"backbone": "plain", "landmark_width": 128},
}
LANDMARKS = 10
WARMUP, CLIP, WEIGHT_DECAY, AVERAGE = 100, 1.0, 1e-5, 0.99
SCORED_AT = (0.0, 0.1, 0.25, 0.5)
"""The shares of its time at which a run is scored, besides the end; first of all untrained."""
FEWEST_STEPS = 2500
"""Batches are as large as leaves a run this many steps."""
DRAWN = 120
"""Faces, where there is no data."""


class Sizes(NamedTuple):
    """What is run, on a GPU and, to try it out, on a CPU."""

    runs: tuple[str, ...]
    """A method and a network, such as `c3-imagenet`."""
    image: int
    images: int
    """Of a set, at about this many at most."""
    batches: tuple[int, ...]
    """Those that a step is measured with, the most telling ones first."""
    compiled_batch: int
    rates: tuple[int, tuple[int, int, int], int]
    """For `device_rates`."""


ALL = tuple(f"{method}-{network}" for network in NETWORKS for method in METHODS)
SOME = ("c3-imagenet", "c3-paper-random", "imm-random", "imm-plus-imagenet")
SIZES = {
    "cuda": Sizes(ALL, 128, 10**6, (128, 512, 32, 256, 64), 128, (8192, (64, 256, 64), 2**30)),
    "cpu": Sizes(SOME, 32, 200, (8, 4), 4, (64, (2, 16, 32), 2**24)),
}


def rates_of(name: str) -> tuple[float, float]:
    """The peak learning rate, and the factor for the backbone."""
    if name.endswith("-random"):
        return 1e-3, 1.0
    return (2e-3, 0.5) if name.startswith("imm-imagenet") else (4e-3, 0.25)


class Training:
    """A run: its networks, and a step that waits for nothing, so that the device is never idle."""

    def __init__(self, name: str, images: Tensor, batch: int, seed: int = 0):
        """images: uint8 (N, S, S, 3) on the device, where the views are made too."""
        method, network = name.rsplit("-", 1)
        torch.manual_seed(seed)
        self.images, self.batch, self.device = images, batch, images.device
        config = ModelConfig(landmarks=LANDMARKS, image_size=images.shape[1], **NETWORKS[network])
        self.model = SwapModel(config)
        perceptual = PerceptualDistance().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        c3 = METHODS[method]
        self.c3 = None if c3 is None else C3Config(**c3)
        objective = C3(self.model, perceptual, self.c3) if self.c3 else Imm(self.model, perceptual)
        self.objective = objective.to(self.device).train()
        self.average = deepcopy(self.model).requires_grad_(False).eval()
        rate, factor = rates_of(name)
        trained = {n: p for n, p in objective.named_parameters() if p.requires_grad}
        backbone = [p for n, p in trained.items() if n.startswith("model.backbone.")]
        others = [p for n, p in trained.items() if not n.startswith("model.backbone.")]
        self.parameters = backbone + others
        self.optimizer = torch.optim.AdamW(
            [{"params": backbone, "peak": rate * factor}, {"params": others, "peak": rate}],
            lr=rate,
            weight_decay=WEIGHT_DECAY,
            fused=True,
        )
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.steps = self.seen = 0

    def step(self, progress: float) -> dict[str, Tensor]:
        """One step of the run when `progress` of its time is over; gives the loss and its terms."""
        warm = min(1.0, (self.steps + 1) / WARMUP)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * warm * (0.5 + 0.5 * math.cos(math.pi * progress))
        cuda = self.device.type == "cuda"
        with torch.device(self.device):  # so that the views are drawn and made there
            chosen = torch.randint(len(self.images), (self.batch,), generator=self.generator)
            views = self.images[chosen], ViewsConfig(), self.generator
            batch = make_batch(*views, device=self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=cuda):
                terms = self.objective(batch, progress)
            self.optimizer.zero_grad(set_to_none=True)
            terms["loss"].backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
            self.optimizer.step()
            with torch.no_grad():
                slow: list[Tensor] = list(self.average.parameters())
                fast: list[Tensor] = list(self.model.parameters())
                rate = 1 - min(AVERAGE, (self.steps + 1) / (self.steps + 10))
                torch._foreach_lerp_(slow, fast, rate)  # pyright: ignore[reportPrivateImportUsage]
        self.steps += 1
        self.seen += self.batch
        return terms


# The data.


Scored = tuple[np.ndarray, list[Placement], Points]
"""Annotated images: their pixels, uint8 (N, S, S, 3), places in the original ones, and marks."""


def read_data(data: Path, sizes: Sizes) -> tuple[np.ndarray, dict[str, Scored]]:
    """The images to learn from, uint8 (N, S, S, 3), and the annotated sets that are there."""

    def decoded(items: list[Item]) -> ImageSet:
        chosen = items[:: max(1, len(items) // sizes.images)]
        return load_images(chosen, sizes.image, progress=False)

    found = {}
    for path in sorted(data.glob("*.zip")):
        if path.stem in ("lfw", "aflw", "drawn"):
            marks = read_annotated(path)
            splits = marks.points.split or ()
            rows = [row for row, split in enumerate(splits) if split in ("fit", "test")]
            images = decoded([marks.items[row] for row in rows])
            points = marks.points.take([marks.points.files.index(name) for name in images.names])
            pixels = images.batch(np.arange(len(images)))
            found[path.stem] = pixels, images.placements, points
    images = decoded(list_images(data / "faces-unlabelled.zip"))
    return images.batch(np.arange(len(images))), found


def complete(data: Path | None, work: Path, size: int) -> Path:
    """The data folder, or one with what is there of it and drawn faces in the place of the rest."""
    names = ("faces-unlabelled.zip", "lfw.zip", "aflw.zip")
    there = [data / name for name in names if data and (data / name).is_file()]
    folder = work / "data"
    folder.mkdir()
    for path in there:
        (folder / path.name).symlink_to(path.resolve())
    if not (folder / names[0]).exists():
        save_faces(draw_faces(DRAWN, size=size, fit=0, test=0), folder / names[0])
    if not any((folder / name).exists() for name in names[1:]):
        save_faces(draw_faces(DRAWN, size=size, seed=1, fit=0.5, test=0.5), folder / "drawn.zip")
    return folder


def score(model: SwapModel, sets: dict[str, Scored], *, bootstrap: int = 0) -> dict[str, Any]:
    """Errors in % by set, and how far the landmarks move over its images (2: the image's side)."""
    scores, spreads = {}, []
    network = TorchNetwork(model, str(next(model.parameters()).device))
    for label, (pixels, placements, marks) in sets.items():
        parts = [pixels[i : i + 256] for i in range(0, len(pixels), 256)]
        found = np.concatenate([network.find(part)[0] for part in parts])
        xy = np.stack([p.to_original(one) for p, one in zip(placements, found, strict=True)])
        sizes = np.array([(p.width, p.height) for p in placements], dtype=float)
        points = Points(default_names(xy.shape[1]), marks.files, xy, sizes=sizes)
        metrics = evaluate(points, marks, bootstrap=bootstrap, draws=0).metrics()
        names = ("forward.imm.nme", "forward.imm.nme_interval", "backward.imm.nme")
        scores[label] = {name: metrics[name] for name in (*names, "mean_shape.nme")}
        spreads.append(2 / network.image_size * found.std(axis=0).mean())
    return {"scores": scores, "spread": round(float(np.mean(spreads)), 4)}


# What is measured.


def measure(images: Tensor, sizes: Sizes, until: float) -> dict[str, Any]:
    """The device and steps of c3; a part that fails, or for which no time is left, says so."""
    report: dict[str, Any] = {}

    def part(name: str, work: Callable[[], Any]) -> None:
        try:
            report[name] = work() if time.time() < until else "no time was left"
        except Exception as error:
            report[name] = f"{type(error).__name__}: {error}"
        print(f"{name}: {report[name]}", flush=True)

    training = Training("c3-imagenet", images, sizes.batches[0])
    part("rates", lambda: device_rates(images.device, *sizes.rates))
    part("operations_an_image", lambda: operations_of(training))
    part("waits", lambda: waits_of(training))
    for training.batch in sizes.batches:
        part(f"eager_{training.batch}", lambda: step_rate(training, 1.0))
        if training.batch == sizes.compiled_batch:
            part("profile", lambda: profile_of(training))
    eager = [report[f"eager_{batch}"] for batch in sizes.batches]
    fastest = max((one["images_a_second"] for one in eager if isinstance(one, dict)), default=0.0)
    report["fastest_images_a_second"] = fastest
    if isinstance(report["rates"], dict) and isinstance(report["operations_an_image"], float):
        used = fastest * report["operations_an_image"] / 1e12
        report["share_of_convolution_rate"] = round(used / report["rates"]["convolution_tflops"], 3)
    return report


def best_batch(report: dict[str, Any], sizes: Sizes, seconds: float) -> int:
    """The largest batch that leaves each run enough steps in that time, as all share the device.

    A step takes as long as it takes to start it, or as all runs need the device for one.
    """
    eager = {batch: report.get(f"eager_{batch}") for batch in sizes.batches}
    took = [batch / one["images_a_second"] for batch, one in eager.items() if isinstance(one, dict)]
    if not took:
        return min(sizes.batches)
    profile = report.get("profile")
    if isinstance(profile, dict):
        image = profile["device_ms"] / 1000 / profile["batch"]
    else:
        image = 1 / report["fastest_images_a_second"]
    steps = {batch: seconds / max(min(took), len(sizes.runs) * batch * image) for batch in eager}
    enough = [batch for batch, count in steps.items() if count >= FEWEST_STEPS]
    return max(enough, default=min(sizes.batches))


def compiled_job(images: Tensor, sizes: Sizes, work: Path) -> None:
    """Compile the networks, say so, and time a step when the file `go` is there."""
    training = Training("c3-imagenet", images, sizes.compiled_batch)
    model = training.model
    parts = (model.backbone, model.landmark_encoder, model.appearance_encoder, model.decoder)
    for network in (*parts, training.objective.perceptual.network):
        # A CPU takes minutes to compile: there it is only tried that the networks can be traced.
        network.compile(backend="inductor" if images.is_cuda else "eager", dynamic=False)
    began = time.perf_counter()
    for _ in range(3):
        training.step(1.0)["loss"].item()
    seconds = round(time.perf_counter() - began, 1)
    (work / "compiled").touch()
    while not (work / "go").exists():
        time.sleep(0.05)
    result = {**step_rate(training, 1.0), "seconds_to_compile": seconds}
    (work / "compiled.json").write_text(json.dumps(result), encoding="utf-8")


def result_of_compiled(process: subprocess.Popen, work: Path, until: float) -> dict | str:
    """Let the compiled step be timed, if it is ready by `until`."""
    while process.poll() is None and not (work / "compiled").exists() and time.time() < until:
        time.sleep(0.2)
    (work / "go").touch()
    try:
        if (work / "compiled").exists():
            process.wait(timeout=20)
        return json.loads((work / "compiled.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        log = (work / "compile" / "log.txt").read_text(encoding="utf-8", errors="replace")
        return f"no result in time; the output ends: {log[-500:]}"
    finally:
        stop(process)


# The trainings.


def training_job(options: argparse.Namespace, images: Tensor, sets: dict[str, Scored]) -> None:
    """Train one run until its time is over; its line is written anew at each score."""
    run, name = Run(options.work / options.job), options.job
    training = Training(name, images, options.batch)
    rate, factor = rates_of(name)
    line: dict[str, Any] = {"run": name, "seed": 0, "batch": options.batch, "finished": False}
    line |= {"learning_rate": rate, "backbone_rate": factor, "torch": torch.__version__}
    line |= {"model": asdict(training.model.config), "views": asdict(ViewsConfig())}
    line |= {"c3": asdict(training.c3) if training.c3 else None, "curve": []}
    line |= {"device": torch.cuda.get_device_name() if images.is_cuda else "cpu"}
    began, logged, to_score = time.time(), -1.0, list(SCORED_AT)

    def save(*, last: bool = False) -> None:
        found = {"steps": training.steps, "images_seen": training.seen}
        found |= {"seconds": round(time.time() - began, 1)}
        found |= score(training.average, sets, bootstrap=1000 if last else 0)
        line.update(found | {"finished": last, "curve": [*line["curve"], found]})
        write_run(run, training, line)

    try:
        while (progress := (time.time() - began) / (options.until - began)) < 1:
            if to_score and progress >= to_score[0]:
                save()
                to_score = [share for share in to_score if share > progress]
            terms = training.step(progress)
            if progress - logged >= 1 / 50:  # the only place where the loop waits for the device
                values = {key: value.item() for key, value in terms.items()}
                if not math.isfinite(values["loss"]):
                    raise FloatingPointError(f"the loss is {values['loss']}")
                run.append_metrics({"step": training.steps, **values})
                logged = progress
        save(last=True)
    except Exception as error:
        traceback.print_exc()
        line["error"] = f"{type(error).__name__}: {error}"
        write_run(run, training, line)


def write_run(run: Run, training: Training, line: dict) -> None:
    """Write the line, the model in half precision, the sample sheet and the curves of the loss."""
    try:
        for old in run.samples.glob("*"):
            old.unlink()
        probes = as_model_input(training.images[:8], training.device)
        draw_samples(run, training.average, probes, training.steps, swap_back=True)
        if training.steps:
            plot_losses(run.metrics(), run.path / "loss.png")
    except Exception as error:  # the numbers are worth more: the run goes on
        traceback.print_exc()
        line["pictures"] = f"{type(error).__name__}: {error}"
    card = f"A run of benchmarks/gpu.py: {line['run']}, {training.steps} steps.\n"
    save_model(run.model, deepcopy(training.average).half(), card)
    (run.path / "line.part").write_text(json.dumps(line), encoding="utf-8")
    (run.path / "line.part").replace(run.path / "line.json")


# The whole.


def start(job: str, work: Path, **more: Any) -> subprocess.Popen:
    """Start a job as a process, in a group of its own, with its output in a file."""
    (work / job).mkdir()
    command = [sys.executable, __file__]
    for name, value in {"job": job, "work": work, "out": work, **more}.items():
        command += [f"--{name}", str(value)]
    with (work / job / "log.txt").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def stop(process: subprocess.Popen) -> None:
    """End a job and all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def publish(out: Path, work: Path, runs: tuple[str, ...], *, zipped: bool = False) -> list[dict]:
    """Bring the lines of all runs to OUT, and at the end their files, in zips of at most 15 MB."""
    paths = [work / name / "line.json" for name in runs]
    lines = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    about = circumstances()
    write_text(out / "runs.jsonl", "".join(json.dumps({**line, **about}) + "\n" for line in lines))
    parts: list[list[Path]] = [[]]
    for name in runs if zipped else ():
        files = [path for path in (work / name).rglob("*") if path.is_file()]
        if sum(path.stat().st_size for path in [*parts[-1], *files]) > 15e6:
            parts.append([])
        parts[-1] += files
    for number, files in enumerate(parts if zipped else (), start=1):
        with zipfile.ZipFile(out / f"runs-{number}.zip", "w") as archive:
            for path in files:
                archive.write(path, path.relative_to(work))
    return lines


def measure_and_train(options: argparse.Namespace, work: Path, sizes: Sizes) -> list[dict]:
    """All of it, within the minutes given; the lines of the runs."""
    began, total = time.time(), 60 * options.minutes
    os.environ["SWAPMARK_CACHE"] = str(work / "cache")
    jobs = {"compile": start("compile", work)}
    try:
        # Read the data, for the jobs too, and measure.
        data = complete(options.data, work, sizes.image)
        train, sets = read_data(data, sizes)
        images = torch.from_numpy(train).to(DEVICE)
        report = {
            "device": torch.cuda.get_device_name() if images.is_cuda else "cpu",
            "versions": [platform.python_version(), torch.__version__, torch.version.cuda],
            "cudnn": torch.backends.cudnn.version(),
            "images": len(train),
            "scored": {label: len(marks) for label, (_, _, marks) in sets.items()},
            **circumstances(),
        }
        until = began + max(42.0, 0.18 * total)
        try:
            report |= measure(images, sizes, until)
        except Exception as error:  # the runs are made all the same
            report["error"] = f"{type(error).__name__}: {error}"
        report["compiled"] = result_of_compiled(jobs["compile"], work, until)
        print(f"compiled: {report['compiled']}", flush=True)
        del images
        torch.cuda.empty_cache()  # the memory is the runs' now
        end = began + total - max(25.0, 0.06 * total)
        report["batch"] = batch = best_batch(report, sizes, end - time.time())
        write_text(options.out / "report.json", json.dumps(report, indent=1))
        # Train, and bring the lines home while the runs go on.
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // len(sizes.runs)))
        runs = {name: start(name, work, data=data, until=end, batch=batch) for name in sizes.runs}
        jobs |= runs
        while time.time() < began + total - 8 and any(run.poll() is None for run in runs.values()):
            time.sleep(2)
            publish(options.out, work, sizes.runs)
        for name, run in runs.items():
            if run.poll():  # still at work is no failure: it counts as it was scored last
                log = (work / name / "log.txt").read_text(encoding="utf-8", errors="replace")
                print(f"{name} failed; its output ends: {log[-1500:]}", flush=True)
                path = work / name / "line.json"
                line = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
                line = {"run": name, "finished": False, "error": log[-200:], **line}
                path.write_text(json.dumps(line), encoding="utf-8")
    finally:
        for job in jobs.values():
            stop(job)
    return publish(options.out, work, sizes.runs, zipped=True)


def failure(line: dict) -> str | None:
    """What went wrong in a run, if anything did."""
    nothing = None if line.get("images_seen") else "it saw no image"
    return line.get("error") or line.get("pictures") or nothing


def main() -> int:
    """Measure, train, bring home; or do one job of these, as a process that the first started."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the archives")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=9.0, help="all in all")
    for name, kind in (("job", str), ("work", Path), ("until", float), ("batch", int)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = SIZES[DEVICE.type]
    if DEVICE.type == "cpu":
        torch.set_num_threads(1)  # several processes share it
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    if options.job == "compile":
        noise = torch.randint(256, (512, sizes.image, sizes.image, 3), dtype=torch.uint8)
        compiled_job(noise.to(DEVICE), sizes, options.work)
        return 0
    if options.job:
        train, sets = read_data(options.data, sizes)
        training_job(options, torch.from_numpy(train).to(DEVICE), sets)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        lines = measure_and_train(options, Path(folder), sizes)
    for line in lines:
        errors = {label: one["forward.imm.nme"] for label, one in line.get("scores", {}).items()}
        state = failure(line) or ("finished" if line["finished"] else "cut off")
        print(f"{line['run']}: {line.get('images_seen', 0)} images, NME {errors} % ({state})")
    print(f"{len(lines)} of {len(sizes.runs)} runs have a line in {options.out}.")
    return 1 if len(lines) < len(sizes.runs) or any(failure(line) for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
