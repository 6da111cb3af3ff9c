"""Files of swapmark, read by the programs that they are for; and the other way round.

Run by `make test-formats`, in an environment of its own without torch.
"""

import json
import sys

import numpy as np
import pandas
import pytest
import sleap_io
from ktch.landmark import GeneralizedProcrustesAnalysis
from movement.io import load_poses, save_poses
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from swapmark.points.formats import read_points, write_points
from swapmark.points.table import Points

NAMES = ("nose", "left ear", "tail base")
SIZE = (120, 90)


def made_up(files: tuple[str, ...], **known) -> Points:
    """Points at many digits, the second one of the third image missing."""
    random = np.random.default_rng(0)
    xy = random.uniform(0, 89, (len(files), len(NAMES), 2))
    xy[2, 1] = np.nan
    return Points(NAMES, files, xy, **known)


@pytest.fixture
def video() -> Points:
    confidence = np.random.default_rng(1).uniform(0, 1, (20, len(NAMES)))
    return made_up(("video",) * 20, confidence=confidence, frame=np.arange(20))


@pytest.fixture
def images(tmp_path) -> Points:
    """Five marked images, which lie in tmp_path as DeepLabCut has them."""
    files = tuple(f"labeled-data/session 1/img{i:03d}.png" for i in range(5))
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", SIZE, 128).save(tmp_path / file)
    return made_up(files, sizes=np.tile(SIZE, (5, 1)))


def same(one, other) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)


def close(one, other) -> bool:
    """Alike in the 32 bits that SLEAP computes with."""
    return np.allclose(one, other, rtol=1e-6, atol=1e-5, equal_nan=True)


def test_nothing_of_this_needs_torch():
    assert "torch" not in sys.modules


def test_movement_reads_a_prediction(video, tmp_path):
    write_points(video, tmp_path / "video.csv", "dlc")
    read = load_poses.from_dlc_file(tmp_path / "video.csv", fps=30).isel(individuals=0)
    assert tuple(read.keypoints.values) == NAMES
    assert same(read.position.transpose("time", "keypoints", "space"), video.xy)
    assert same(read.confidence.transpose("time", "keypoints"), video.confidence)


@pytest.mark.parametrize("split_individuals", [True, False])
def test_what_movement_writes_is_read(video, tmp_path, split_individuals):
    poses = load_poses.from_numpy(
        video.xy.transpose(0, 2, 1)[..., None],
        video.confidence[..., None],
        individual_names=["mouse"],
        keypoint_names=list(NAMES),
    )
    save_poses.to_dlc_file(poses, tmp_path / "m.csv", split_individuals=split_individuals)
    found = read_points(next(tmp_path.glob("m*.csv")))
    assert found.names == NAMES
    assert found.frame.tolist() == list(range(20))
    assert same(found.xy, video.xy)
    assert same(found.confidence, video.confidence)


def test_sleap_io_reads_what_was_marked_in_images(images, tmp_path):
    write_points(images, tmp_path / "CollectedData.csv", "dlc")
    labels = sleap_io.load_file(tmp_path / "CollectedData.csv")
    names = labels.skeletons[0].node_names  # it sorts them
    assert sorted(names) == sorted(NAMES)
    order = [names.index(name) for name in NAMES]
    assert close(labels.numpy()[:, 0, order], images.xy)


def test_what_sleap_io_writes_as_deeplabcut_is_read(video, tmp_path):
    labels = sleap_io.Labels.from_numpy(
        video.xy[:, None],
        [sleap_io.Video("video.mp4", open_backend=False)],
        skeletons=[sleap_io.Skeleton(list(NAMES))],
    )
    sleap_io.save_csv(labels, tmp_path / "sleap.csv", format="dlc")
    found = read_points(tmp_path / "sleap.csv")
    order = [found.names.index(name) for name in NAMES]
    assert same(found.xy[:, order], video.xy)


def test_sleap_io_reads_coco(images, tmp_path):
    write_points(images, tmp_path / "points.json")
    labels = sleap_io.load_coco(tmp_path / "points.json", dataset_root=tmp_path)
    assert tuple(labels.skeletons[0].node_names) == NAMES
    assert close(labels.numpy()[:, 0], images.xy)


def test_what_sleap_io_writes_as_coco_is_read(images, tmp_path):
    write_points(images, tmp_path / "points.json")
    labels = sleap_io.load_coco(tmp_path / "points.json", dataset_root=tmp_path)
    sleap_io.save_coco(labels, tmp_path / "sleap.json")
    found = read_points(tmp_path / "sleap.json")
    assert found.names == NAMES
    assert close(found.xy, images.xy)
    assert same(found.sizes, images.sizes)


def test_pycocotools_loads_and_evaluates(images, tmp_path):
    confidence = np.full((5, len(NAMES)), 0.5)
    scored = Points(NAMES, images.files, images.xy, confidence, images.sizes)
    write_points(scored, tmp_path / "points.json")
    truth = COCO(str(tmp_path / "points.json"))
    assert [truth.imgs[key]["file_name"] for key in sorted(truth.imgs)] == list(images.files)
    keypoints = [truth.anns[key]["keypoints"] for key in sorted(truth.anns)]
    read = np.array(keypoints).reshape(5, len(NAMES), 3)
    there = images.marked
    assert same(read[there][:, :2], images.xy[there])
    assert (read[~there] == 0).all()

    # The same points as a result are found perfectly, and points 30 pixels off are not.
    found = json.loads((tmp_path / "points.json").read_text())["annotations"]
    assert precision(truth, found) == pytest.approx(1)
    for annotation in found:
        numbers = np.array(annotation["keypoints"]).reshape(-1, 3)
        annotation["keypoints"] = (numbers + np.array([30, 30, 0])).ravel().tolist()
    assert precision(truth, found) < 0.5


def precision(truth: COCO, found: list[dict]) -> float:
    """AP of keypoints over the thresholds of COCO."""
    evaluation = COCOeval(truth, truth.loadRes(found), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.full(len(NAMES), 0.05)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[0]


def test_pandas_reads_csv_parquet_and_deeplabcut(images, tmp_path):
    write_points(images, tmp_path / "points.csv")
    write_points(images, tmp_path / "points.parquet")
    for frame in (
        pandas.read_csv(tmp_path / "points.csv"),
        pandas.read_parquet(tmp_path / "points.parquet"),
    ):
        assert frame["file"].tolist() == list(images.files)
        assert same(frame[["nose_x", "nose_y"]], images.xy[:, 0])
        assert same(frame[["left ear_x", "left ear_y"]], images.xy[:, 1])
    write_points(images, tmp_path / "dlc.csv", "dlc")
    header = {"header": [0, 1, 2], "index_col": [0, 1, 2]}
    frame = pandas.read_csv(tmp_path / "dlc.csv", **header)
    assert same(frame["swapmark"]["tail base"][["x", "y"]], images.xy[:, 2])
    frame.to_csv(tmp_path / "again.csv")  # as DeepLabCut itself writes it
    assert same(read_points(tmp_path / "again.csv").xy, images.xy)


def test_shapes_are_those_of_ktch():
    """Aligned specimens, mean shape and components, but for how the mean shape is turned."""
    random = np.random.default_rng(2)
    turns, shape = np.exp(1j * random.normal(size=(30, 1))), random.normal(size=(1, 7))
    z = turns * (shape + 1j * shape[:, ::-1] ** 2 + 0.2 * random.normal(size=(30, 7)))
    xy = 40 + 10 * np.stack([z.real, z.imag], axis=-1) * random.uniform(0.5, 2, (30, 1, 1))
    shapes = Points(tuple("abcdefg"), tuple(map(str, range(30))), xy).align()
    other = GeneralizedProcrustesAnalysis(tol=1e-15)
    aligned = other.fit_transform(xy.reshape(30, 14)).reshape(30, 7, 2)
    ours, theirs = (mean[:, 0] + 1j * mean[:, 1] for mean in (shapes.mean, other.mu_))
    turn = (theirs.conj() * ours).sum()
    assert abs(turn) == pytest.approx(1, abs=1e-6)
    turned = np.array([[turn.real, turn.imag], [-turn.imag, turn.real]])
    assert np.abs(aligned @ turned - shapes.aligned).max() < 1e-6
    flat = aligned.reshape(30, 14) - aligned.reshape(30, 14).mean(axis=0)
    variance = np.linalg.svd(flat, compute_uv=False) ** 2
    assert np.abs((variance / variance.sum())[:10] - shapes.shares).max() < 1e-6
