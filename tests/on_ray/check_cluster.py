"""Parts made by a Ray cluster of two nodes on this machine: `make test-ray`.

Not collected with the other tests: it runs in an environment of its own, without torch. The folder
that tests/without_torch/make_model.py filled is named by SWAPMARK_ONNX_FOLDER.
"""

import os
import signal
import threading
import time
import zipfile
from pathlib import Path

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

import swapmark
from swapmark.cli import main
from swapmark.points import parts as module

FOLDER = Path(os.environ["SWAPMARK_ONNX_FOLDER"])
MODEL = str(FOLDER / "model.onnx")
PICTURES = str(FOLDER / "faces.zip")


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """Parts of two pictures; the actors are told, as they get the parts."""
    monkeypatch.setattr(module, "ROWS", 2)


@pytest.fixture
def cluster():
    """Two nodes of one CPU each, to which this process is joined."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        yield second, cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def expected(tmp_path) -> str:
    swapmark.load(MODEL).predict(PICTURES).save(tmp_path / "one.csv")
    return (tmp_path / "one.csv").read_text()


def joined(folder: Path) -> str:
    table = folder.with_suffix(".csv")
    swapmark.read_points(folder).save(table)
    return table.read_text()


def test_the_cluster_gives_what_one_process_gives(cluster, expected, tmp_path, capsys):
    out = tmp_path / "parts"
    words = ["predict", MODEL, PICTURES, "--out", str(out), "--quiet"]
    assert main([*words, "--engine", "ray:3"]) == 2
    assert "has 2 CPUs, and 3 actors were asked for" in capsys.readouterr().err
    assert main([*words, "--engine", "ray"]) == 0
    assert joined(out) == expected
    assert main([*words, "--engine", "ray"]) == 0
    assert "0 parts of" in capsys.readouterr().out


def actors() -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [p for p in found if "ray::_Actor" in " ".join(p.info["cmdline"] or [])]


@pytest.mark.parametrize("loss", ["actor", "node"])
def test_a_lost_actor_or_node_loses_nothing(cluster, tmp_path, monkeypatch, loss):
    second, nodes = cluster
    monkeypatch.setattr(module, "ROWS", 4)
    with zipfile.ZipFile(PICTURES) as of, zipfile.ZipFile(tmp_path / "many.zip", "w") as many:
        names = [name for name in of.namelist() if name.endswith(".png")]
        for number in range(2000):
            many.writestr(f"{number:04}.png", of.read(names[number % len(names)]))
    out, lost = tmp_path / "parts", []

    def lose() -> None:
        until = time.monotonic() + 60
        while len(list(out.glob("part-?????.csv"))) < 20 and time.monotonic() < until:
            time.sleep(0.05)
        if loss == "node":
            nodes.remove_node(second, allow_graceful=False)
        else:
            os.kill(actors()[0].pid, signal.SIGKILL)
        lost.append(len(list(out.glob("part-?????.csv"))))

    thread = threading.Thread(target=lose)
    thread.start()
    made = swapmark.load(MODEL).predict_parts(tmp_path / "many.zip", out, engine="ray")
    thread.join()
    assert 20 <= lost[0] < made.parts
    assert (made.missing, made.found) == (0, 2000)
    swapmark.load(MODEL).predict(tmp_path / "many.zip").save(tmp_path / "one.csv")
    assert joined(out) == (tmp_path / "one.csv").read_text()


def test_what_actors_cannot_do_is_told(cluster, tmp_path):
    detector = swapmark.load(MODEL)
    with pytest.raises(swapmark.InputError, match="give paths or URLs"):
        detector.predict_parts(swapmark.draw_faces(4).images, tmp_path / "parts", engine="ray")
    with pytest.raises(swapmark.InputError, match="expected ray"):
        detector.predict_parts(PICTURES, tmp_path / "others", engine="rays")
