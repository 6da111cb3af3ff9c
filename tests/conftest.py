"""What every test shares: shapes checked while the code runs, few threads, a cache of its own."""

import io
import os
import sys
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from fractions import Fraction
from pathlib import Path

from hypothesis import settings
from jaxtyping import install_import_hook

# The hook rewrites modules while they are imported: one imported earlier would go unchecked.
early = [name for name in sys.modules if name.partition(".")[0] == "swapmark"]
if early:
    raise RuntimeError(f"{early} were imported before tests/conftest.py could check their shapes.")
# An int may stand where a float is asked for, as everywhere in Python (PEP 484).
install_import_hook(
    "swapmark", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)
os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = "1"  # also in the commands that tests start; before torch is loaded

import pytest  # noqa: E402
import torch  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(1)  # one test process a core; and sums do not depend on the machine
settings.register_profile("swapmark", deadline=None, derandomize=True, database=None)
settings.load_profile("swapmark")


def pytest_collection_modifyitems(items):
    """Tests of the exported model run in one process, which exports it once."""
    for item in items:
        if {"tiny_onnx", "tiny_export"} & set(item.fixturenames):
            item.add_marker(pytest.mark.xdist_group("onnx"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep decoded images away from the user's cache, also in the commands that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWAPMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images (faces-unlabelled.zip, lfw.zip …), or skip where there is none."""
    folder = Path(os.environ.get("SWAPMARK_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"needs real images: {folder} is absent; set SWAPMARK_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def turn():
    """Turns a picture so that readers who obey the EXIF tag given with it see it as it was."""
    from PIL import Image

    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }

    def by(orientation: int, upright: Image.Image) -> tuple[Image.Image, Image.Exif]:
        exif = Image.Exif()
        exif[0x0112] = orientation
        return upright.transpose(undo[orientation]) if orientation > 1 else upright, exif

    return by


@pytest.fixture(scope="session")
def tiny_settings() -> dict:
    """Nested settings with which 40 steps take seconds; all of C³'s terms take part."""
    widths = {"backbone_width": 4, "landmark_width": 8, "appearance_width": 8, "decoder_width": 16}
    return {
        "model": {"backbone": "plain", "image_size": 32, "landmarks": 4, **widths},
        "training": {
            "batch_size": 4,
            "steps": 40,
            "precision": "float32",
            "log_every": 5,
            "checkpoint_every": 20,
        },
        "c3": {
            "swap": 0,
            "cycle": 1,
            "inverse": 1,
            "equivariance": 1,
            "ramp_start": 0.1,
            "ramp_end": 0.3,
        },
    }


@pytest.fixture(scope="session")
def tiny_faces(tmp_path_factory) -> Path:
    """A zip of 24 drawn faces with their marks.csv."""
    from swapmark.faces.drawn import draw_faces, save_faces

    path = tmp_path_factory.mktemp("faces") / "faces.zip"
    save_faces(draw_faces(24, size=32, seed=1), path)
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_faces, tiny_settings, tmp_path_factory):
    """A C³ run of 40 steps on these faces; for reading only."""
    from swapmark.training.train import train

    out = tmp_path_factory.mktemp("runs") / "tiny"
    return train(tiny_faces, out, config=tiny_settings, progress=False)


@pytest.fixture(scope="session")
def tiny_export(tiny_run, tmp_path_factory) -> tuple[Path, str]:
    """The detector of that run as an ONNX file, written by the command, and what it printed."""
    from swapmark.cli import main

    path = tmp_path_factory.mktemp("onnx") / "made" / "tiny.onnx"
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
        assert main(["export", str(tiny_run.path), "-o", str(path)]) == 0
    return path, printed.getvalue()


@pytest.fixture(scope="session")
def tiny_onnx(tiny_export) -> Path:
    """The detector of that run as an ONNX file."""
    return tiny_export[0]


@pytest.fixture(scope="session")
def faces():
    """Thirty drawn faces with marks, half of them to fit, half to test."""
    from swapmark.faces.drawn import draw_faces

    return draw_faces(30, size=32, seed=2, fit=0.5, test=0.5)


@pytest.fixture(scope="session")
def marked(faces, tmp_path_factory) -> Path:
    """The same as a zip with marks.csv."""
    from swapmark.faces.drawn import save_faces

    return save_faces(faces, tmp_path_factory.mktemp("marked") / "faces.zip")


@pytest.fixture
def photos(marked, tmp_path) -> Path:
    """The same as a folder, which the test may change."""
    with zipfile.ZipFile(marked) as archive:
        archive.extractall(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """Draws a video of a white square that moves over dark grey, by default without loss."""
    import av
    import numpy as np

    folder = tmp_path_factory.mktemp("films")

    def draw(
        name: str,
        places: list[tuple[int, int]],
        *,
        ticks: list[int] | None = None,
        size: tuple[int, int] = (96, 64),
        stored=lambda upright: upright,
        codec: tuple[str, str] = ("ffv1", "bgr0"),
        **options: str,
    ) -> Path:
        """Squares centred at `places`, shown at `ticks` (milliseconds, by default 25 a second)."""
        path = folder / name
        path.unlink(missing_ok=True)
        ticks = [40 * index for index in range(len(places))] if ticks is None else ticks
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream(codec[0], rate=25)
            stream.pix_fmt = codec[1]
            stream.codec_context.time_base = Fraction(1, 1000)
            for tick, (x, y) in zip(ticks, places, strict=True):
                upright = np.full((size[1], size[0], 3), 30, np.uint8)
                upright[y - 5 : y + 6, x - 5 : x + 6] = 250
                pixels = np.ascontiguousarray(stored(upright))
                if tick == ticks[0]:
                    stream.height, stream.width = pixels.shape[:2]
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = tick, Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return draw
