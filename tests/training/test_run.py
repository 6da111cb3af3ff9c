from dataclasses import asdict

import pytest
import yaml

from swapmark.errors import RunError
from swapmark.training.config import Config
from swapmark.training.run import Run, new_run, only_here, refuse_run

OWN = (
    *("config.yaml", "environment.json", "images.json", "metrics.jsonl", "loss.png", "skipped.csv"),
    *("samples/step-0000100.png", "checkpoints/step-0000100.pt"),
    *("model/config.json", "model/model.safetensors", "model/README.md", "model/familiar.json"),
    "evaluation/lfw/metrics.json",
)
FOREIGN = (
    *("notes.txt", "photos/a.png", "samples/mine.png", "checkpoints/best.pt", "model/notes.md"),
    *("evaluation/lfw/figure.png", ".git/config"),
)


def contents(folder) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def full_run(tmp_path):
    """A folder with all that a run holds, and other people's files beside every one of them."""
    folder = tmp_path / "run"
    for name in (*OWN, *FOREIGN):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "config.yaml").write_text(yaml.safe_dump(asdict(Config())))
    return folder


def test_a_new_run_goes_into_a_new_or_an_empty_folder(tmp_path):
    path = tmp_path / "a" / "b"
    for overwrite in (False, True):
        with only_here(path):
            assert new_run(path, overwrite=overwrite) == Run(path)
        (path / ".config.yaml.0123456789ab.part").touch()  # a process was killed at once
    assert path.is_dir()


def test_what_a_killed_process_left_is_swept_and_what_others_write_is_not(full_run):
    left = [f"{name}.0123456789ab.part" for name in (".loss.png", "model/.README.md")]
    theirs = [f"{name}.0123456789ab.part" for name in (".points.csv", "points/.mine.json")]
    theirs += [".loss.png.mine.part"]
    (full_run / "points").mkdir()
    for name in (*left, *theirs):
        (full_run / name).write_text("x")
    with only_here(full_run):
        assert [name for name in contents(full_run) if name.endswith("part")] == sorted(theirs)


def test_an_existing_run_is_never_overwritten_unasked(full_run):
    before = contents(full_run)
    with pytest.raises(RunError, match=str(full_run)):
        new_run(full_run, overwrite=False)
    refuse_run(full_run, overwrite=True)
    assert contents(full_run) == before


def test_overwriting_a_run_removes_its_files_and_no_others(full_run):
    new_run(full_run, overwrite=True)
    assert contents(full_run) == sorted(FOREIGN)


def test_overwriting_does_not_follow_links_out_of_the_run(full_run, tmp_path):
    outside = tmp_path / "precious.png"
    outside.write_text("x")
    (full_run / "samples/step-0000200.png").symlink_to(outside)
    new_run(full_run, overwrite=True)
    assert outside.exists()
    assert not (full_run / "samples/step-0000200.png").is_symlink()


@pytest.mark.parametrize(
    "config", [None, "", "learning_rate: 1", "model: x\ntraining: {}\nmethod: sgd", "a: [", "\0"]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_never_touched(tmp_path, config, overwrite):
    for name in ("model/model.safetensors", "checkpoints/step-0000100.pt", "metrics.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("precious")
    if config is not None:
        (tmp_path / "config.yaml").write_text(config)
    before = contents(tmp_path)
    with pytest.raises(RunError, match=str(tmp_path)):
        new_run(tmp_path, overwrite=overwrite)
    assert contents(tmp_path) == before


def test_a_file_in_the_place_of_the_run_or_above_it_is_an_error_of_the_user(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    for out in (path, path / "run"):
        with pytest.raises(RunError, match=str(out)), only_here(out):
            new_run(out, overwrite=True)
    assert path.read_text() == "precious"


def test_metrics_past_a_step_and_cut_lines_are_dropped(tmp_path):
    run = Run(tmp_path)
    assert run.metrics() == []
    for step in (10, 20, 30):
        run.append_metrics({"step": step})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')
    assert [line["step"] for line in run.metrics()] == [10, 20, 30]
    run.keep_metrics_until(20)
    run.append_metrics({"step": 30, "loss": 5.0})
    assert run.metrics() == [{"step": 10}, {"step": 20}, {"step": 30, "loss": 5.0}]


def test_a_run_says_what_it_is(tiny_run, tmp_path):
    assert repr(tiny_run) == f"Run({str(tiny_run.path)!r}, step 40, 24 images)"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-0000012.pt").touch()
    assert repr(Run(tmp_path)) == f"Run({str(tmp_path)!r}, step 12, ? images)"
