"""What `swapmark.train` makes of its arguments, and what it refuses before anything is lost."""

import json
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from swapmark.errors import InputError, RunError
from swapmark.model.store import load_model
from swapmark.training.config import override, read_config
from swapmark.training.presets import resolve_config
from swapmark.training.run import Run, checkpoint_paths, new_run
from swapmark.training.train import train

QUICK = ("training.steps=2", "method=imm", "training.sample_every=2")
RUN_FILES = [
    *(".lock", "checkpoints/step-0000020.pt", "checkpoints/step-0000040.pt", "config.yaml"),
    *("environment.json", "images.json", "loss.png", "metrics.jsonl"),
    *("model/README.md", "model/config.json", "model/model.safetensors"),
    "samples/step-0000040.png",
]


def contents(folder) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def save_images(folder, count: int, size: tuple[int, int] = (40, 30)):
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(count):
        pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def test_a_run_folder_holds_what_is_documented_and_says_what_it_was(
    tiny_run, tiny_faces, tiny_settings
):
    assert list(contents(tiny_run.path)) == RUN_FILES
    assert read_config(tiny_run.config) == resolve_config(config=tiny_settings)
    environment = json.loads((tiny_run.path / "environment.json").read_text())
    assert "torch" in environment["packages"]
    images = tiny_run.recorded_images()
    assert (images["source"], images["images"]) == (str(tiny_faces), 24)
    assert re.fullmatch(r"[0-9a-f]{64}", images["fingerprint"])
    lines = tiny_run.metrics()
    assert [line["step"] for line in lines] == list(range(5, 41, 5))
    expected = {"step", "seconds", "loss", "reconstruction", "cycle", "inverse", "equivariance"}
    expected |= {"spread", "spread_min", "coverage", "nearest", "nearest_min", "following"}
    assert expected <= lines[-1].keys()


def test_all_arguments_reach_the_configuration(train_tiny):
    sections = {"model": {"sigma": 0.2}, "views": {"flip": 0.0}, "c3": {"swap": 1.0, "cycle": 0.0}}
    run = train_tiny(
        *(*QUICK, "method=imm"),
        **{**sections, "training": {"warmup": 1, "steps": 9}},
        landmarks=1,
        method="c3",
        steps=1,
        seed=3,
    )
    config = read_config(run.config)
    assert (config.model.landmarks, config.model.sigma, config.method) == (1, 0.2, "c3")
    training = config.training
    assert (training.steps, training.seed, training.warmup) == (1, 3, 1)
    assert (config.views.flip, config.c3.swap) == (0.0, 1.0)
    assert "nearest" not in run.metrics()[0], "one landmark has no neighbour"
    assert load_model(run.model).config == config.model


def test_skipped_images_are_listed_and_counted(train_tiny, tmp_path, capsys):
    images = save_images(tmp_path / "images", 3)
    (images / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    (images / "live.heic").write_bytes(b"of a phone")
    (images / "notes.txt").write_text("mine")
    run = train_tiny(*QUICK, images=images, progress=True)
    header, *rows = (run.path / "skipped.csv").read_text().splitlines()
    assert header == "file,reason"
    assert [row.split(",")[0] for row in rows] == ["broken.jpg", "live.heic"]
    assert "2 of 5 images" in capsys.readouterr().err
    assert json.loads(run.images.read_text())["images"] == 3


@pytest.mark.parametrize("count", [2, 5])
def test_fewer_images_than_a_batch_and_odd_counts_train(train_tiny, tmp_path, count):
    images = save_images(tmp_path / "images", count)
    run = train_tiny(*QUICK, "method=c3", "training.batch_size=6", images=images)
    assert (run.samples / "step-0000002.png").exists()
    assert run.metrics()[-1]["spread"] >= 0


def test_arrays_train_too(train_tiny):
    images = np.random.default_rng(0).integers(0, 256, (4, 20, 30), dtype=np.uint8)
    run = train_tiny(*QUICK, images=images)
    assert run.recorded_images()["source"] == "given as a list or array"


def test_one_image_alone_is_refused_with_the_reason(train_tiny, tmp_path):
    images = save_images(tmp_path / "images", 1)
    (images / "broken.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"0\.png.*broken\.png: "):
        train_tiny(*QUICK, images=images)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "arguments", "named"),
    [
        (["training.bacth_size=4"], {}, "training.batch_size"),
        (["training.batch_size=6"], {"devices": 2}, "training.batch_size is 6.*2 devices"),
        ([], {"devices": 0}, "devices is 0"),
        ([], {"devices": 2, "images": np.zeros((4, 8, 8), np.uint8)}, "images"),
        ([], {"devices": 2, "on_checkpoint": print}, "on_checkpoint"),
        ([], {"images": "absent-photos"}, "absent-photos"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    train_tiny, tmp_path, settings, arguments, named
):
    with pytest.raises(InputError, match=named):
        train_tiny(*settings, **arguments)
    assert not (tmp_path / "run").exists()


def test_what_cannot_work_leaves_the_run_that_was_there(train_tiny):
    run = train_tiny(*QUICK)
    before = contents(run.path)
    with pytest.raises(RunError, match=str(run.path)):
        train_tiny(*QUICK, images="absent-photos")  # refused before the images are read
    for images, settings in (("absent-photos", ()), (np.zeros((4, 8, 8), np.uint8), ["c3.x=1"])):
        with pytest.raises(InputError):
            train_tiny(*settings, images=images, overwrite=True)
    assert contents(run.path) == before


def test_overwriting_starts_anew_and_keeps_files_of_others(train_tiny):
    run = train_tiny(*QUICK, "training.checkpoint_every=1", "training.steps=3")
    (run.path / "notes.txt").write_text("mine")
    (run.samples / "mine.png").write_text("mine")
    again = train_tiny(*QUICK, "training.seed=1", overwrite=True)
    assert again == run
    assert (run.path / "notes.txt").read_text() == "mine"
    assert (run.samples / "mine.png").read_text() == "mine"
    assert [line["step"] for line in run.metrics()] == [2]
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-0000002.pt"]


def test_a_run_that_goes_on_elsewhere_is_left_alone(
    train_tiny, tiny_faces, tiny_settings, tmp_path
):
    run, settings = Run(tmp_path / "run"), tmp_path / "settings.yaml"
    endless = {"log_every": 1, "steps": 100_000, "checkpoint_every": 1}
    settings.write_text(json.dumps(override(tiny_settings, {"training": endless})))
    words = ("train", tiny_faces, "--out", run.path, "--config", settings, "--method", "imm")
    process = subprocess.Popen(
        [sys.executable, "-m", "swapmark", *words, "--quiet"], start_new_session=True
    )

    def wait_for(step: int) -> None:
        due = time.monotonic() + 240
        while len(run.metrics()) <= step:
            assert process.poll() is None, "ended before it was to"
            assert time.monotonic() < due, "hangs"
            time.sleep(0.02)

    try:
        wait_for(1)
        for arguments in ({"overwrite": True}, {"resume": True}):
            with pytest.raises(RunError, match=rf"process {process.pid} on "):
                train_tiny(*QUICK, **arguments)
        wait_for(len(run.metrics()))
    finally:
        process.kill()
        process.wait()
    # The lock has ended with its holder; and of what that left nothing is taken for the new run.
    train_tiny(*QUICK, overwrite=True)
    assert [line["step"] for line in run.metrics()] == [2]
    assert [path.name for path in checkpoint_paths(run.checkpoints)] == ["step-0000002.pt"]


def test_a_new_run_starts_from_no_checkpoint_that_lies_there(
    train_tiny, tiny_run, tmp_path, monkeypatch
):
    def with_a_late_checkpoint(path, *, overwrite):
        made = new_run(path, overwrite=overwrite)
        shutil.copytree(tiny_run.checkpoints, made.checkpoints)
        return made

    monkeypatch.setattr("swapmark.training.train.new_run", with_a_late_checkpoint)
    run = train_tiny("training.steps=2", "training.log_every=1")
    assert [line["step"] for line in run.metrics()] == [1, 2]


@pytest.mark.parametrize(
    "arguments",
    [
        *({"landmarks": 4}, {"method": "c3"}, {"steps": 40}, {"seed": 0}, {"preset": "demo"}),
        *({"c3": {"cycle": 1}}, {"config": "mine.yaml"}, {"overwrite": True}),
    ],
)
def test_a_run_is_resumed_with_its_own_settings_only(tiny_run, tiny_faces, arguments):
    before = contents(tiny_run.path)
    with pytest.raises(InputError, match="settings it was started with"):
        train(tiny_faces, tiny_run.path, resume=True, progress=False, **arguments)
    assert contents(tiny_run.path) == before


def test_resuming_a_finished_run_says_so_and_writes_a_lost_model_anew(train_tiny, capsys):
    run = train_tiny(*QUICK)
    before = contents(run.path)
    (run.model / "model.safetensors").unlink()
    train_tiny(resume=True)
    assert capsys.readouterr().err == ""
    train_tiny(resume=True, progress=True)
    assert "2 of 2 steps" in capsys.readouterr().err
    assert contents(run.path) == before
    moved = run.path.rename(run.path.with_name("moved"))
    train_tiny(out=moved, resume=True)
    assert contents(moved) == before


def test_there_must_be_a_run_to_resume(tmp_path, tiny_faces):
    with pytest.raises(RunError, match="absent"):
        train(tiny_faces, tmp_path / "absent", resume=True, progress=False)
    assert not (tmp_path / "absent").exists()


def test_a_configuration_that_does_not_fit_is_named_on_resume(train_tiny):
    run = train_tiny(*QUICK)
    text = run.config.read_text()
    run.config.write_text(text.replace("batch_size: 4", "batch_size: four"))
    with pytest.raises(InputError, match=r"config\.yaml.*\n  training\.batch_size"):
        train_tiny(resume=True)
    run.config.write_text(text.replace("landmarks: 4", "landmarks: 5"))
    with pytest.raises(RunError, match=r"config\.yaml"):
        train_tiny(resume=True)


def test_a_run_in_the_folder_of_its_pictures_is_none_of_them(train_tiny, tmp_path):
    images = save_images(tmp_path / "images", 4)
    (images / "other").mkdir()
    (images / "other" / "config.yaml").write_text("mine: 1")
    (images / "0.png").rename(images / "other" / "0.png")
    out = images / "runs" / "first"
    run = train_tiny(*QUICK, images=images, out=out)
    assert list(run.samples.iterdir())
    train_tiny(images=images, out=out, resume=True)
    assert run.recorded_images()["images"] == 4


def test_resuming_with_other_images_is_refused(train_tiny, tmp_path):
    images = save_images(tmp_path / "images", 4)
    run = train_tiny(*QUICK, images=images)
    before = contents(run.path)
    (images / "0.png").rename(images / "z.png")
    with pytest.raises(RunError, match=r"4 images .* 4 "):
        train_tiny(images=images, resume=True)
    (images / "z.png").rename(images / "0.png")
    pixels = (images / "2.png").read_bytes()
    Image.new("RGB", (40, 30)).save(images / "2.png")
    with pytest.raises(RunError, match=r"4 images .* 4 "):
        train_tiny(images=images, resume=True)
    assert contents(run.path) == before
    (images / "2.png").write_bytes(pixels)
    train_tiny(images=images, resume=True)


@pytest.mark.parametrize("content", ["{", "[]", '{"images": 3}'])
def test_without_a_record_of_the_images_resuming_goes_on(train_tiny, capsys, content):
    run = train_tiny(*QUICK)
    recorded = run.images.read_text()
    run.images.write_text(content)
    train_tiny(resume=True, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("images.json" in err) == (content != '{"images": 3}')
    assert run.images.read_text() == recorded


def test_a_run_that_was_cut_before_its_first_checkpoint_starts_again(train_tiny, monkeypatch):
    def cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("swapmark.training.loop.make_state", cut)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(*QUICK)
    run = train_tiny(resume=True)
    assert [line["step"] for line in run.metrics()] == [2]
