"""TIFFs of many kinds, drawn here, of which each must give the picture or be refused."""

import io
import struct
import sys
import tracemalloc
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from swapmark.data import tiff as module
from swapmark.data.images import decode_image, image_size
from swapmark.data.pixels import ImageProblem

tifffile = pytest.importorskip("tifffile")

Y, X = np.mgrid[:24, :32]
SHADES = np.stack([0.1 + X / 80 + Y / 80, 0.9 - X / 50, 0.2 + Y / 50], axis=-1)
"""RGB in [0, 1] that no turn or mirroring leaves as it is."""
GREY = SHADES[..., 0]


def tiff(values: np.ndarray, *, chunky: bool = True, **options) -> bytes:
    """A TIFF of (H, W) or (H, W, samples), its planes one after the other unless `chunky`."""
    stored = values if chunky else np.ascontiguousarray(np.moveaxis(values, -1, 0))
    if values.ndim == 3:
        options["planarconfig"] = "contig" if chunky else "separate"
    file = io.BytesIO()
    tifffile.imwrite(file, stored, **{"photometric": "minisblack", "metadata": None} | options)
    return file.getvalue()


def of_kind(kind: str, shades: np.ndarray) -> np.ndarray:
    """[0, 1] over the whole range of whole numbers, or as floats."""
    if np.dtype(kind).kind == "f":
        return shades.astype(kind)
    about = np.iinfo(kind)
    return np.rint(about.min + shades * (about.max - float(about.min))).astype(kind)


def likeness(pixels: np.ndarray, shades: np.ndarray) -> float:
    """The smallest correlation of a channel with what was drawn."""
    shades = shades if shades.ndim == 3 else np.repeat(shades[..., None], 3, axis=-1)
    assert pixels.shape == shades.shape
    return min(np.corrcoef(pixels[..., i].ravel(), shades[..., i].ravel())[0, 1] for i in range(3))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"])
def test_every_kind_of_sample_gives_the_picture(kind, compression, order):
    how = {"compression": compression, "byteorder": order}
    for photometric, shades in (("minisblack", GREY), ("miniswhite", 1 - GREY)):
        data = tiff(of_kind(kind, shades), photometric=photometric, **how)
        assert likeness(decode_image(data)[0], GREY) > 0.999
    for chunky in (True, False):
        data = tiff(of_kind(kind, SHADES), photometric="rgb", chunky=chunky, **how)
        assert likeness(decode_image(data)[0], SHADES) > 0.999


@pytest.mark.parametrize("chunky", [True, False])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_further_channels_are_alpha_only_where_the_file_says_so(kind, chunky, compression):
    extra = np.broadcast_to(0.25 + 0.5 * (X > 16), GREY.shape)[..., None]
    grey = (GREY - GREY.min()) / np.ptp(GREY)
    for shades, photometric in ((grey[..., None], "minisblack"), (SHADES, "rgb")):
        how = {"photometric": photometric, "chunky": chunky, "compression": compression}
        both = np.concatenate([shades, extra], axis=-1)
        data = tiff(of_kind(kind, both), extrasamples=[0], **how)
        assert likeness(decode_image(data)[0], shades * np.ones(3)) > 0.999
        on_white = (shades * extra + 1 - extra) * np.ones(3)
        data = tiff(of_kind(kind, both), extrasamples=[2], **how)
        assert likeness(decode_image(data)[0], on_white) > 0.98
        both[..., :-1] *= extra
        data = tiff(of_kind(kind, both), extrasamples=[1], **how)
        assert likeness(decode_image(data)[0], on_white) > 0.98


def test_several_channels_give_the_first_and_more_than_four_are_refused():
    channels = np.stack([GREY, *[1 - GREY] * 4], axis=-1)
    for chunky in (True, False):
        for count in (2, 3, 4):
            data = tiff(of_kind("u1", channels[..., :count]), chunky=chunky)
            assert likeness(decode_image(data)[0], GREY) > 0.999
        with pytest.raises(ImageProblem, match="5 channels"):
            decode_image(tiff(of_kind("u2", channels), chunky=chunky))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "f4", "f8"])
def test_both_readers_turn_the_picture_upright(turn, kind, orientation):
    stored, _ = turn(orientation, Image.fromarray(of_kind("u1", GREY)))
    values = of_kind(kind, np.asarray(stored) / 255)
    data = tiff(values, extratags=[(274, 3, 1, orientation, True)])
    pixels, size = decode_image(data)
    assert likeness(pixels, GREY) > 0.999
    assert size == image_size(data) == (32, 24)


def pages(*stored: tuple[np.ndarray, dict]) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for values, options in stored:
            writer.write(values, metadata=None, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["u1", "u4"])
def test_a_smaller_copy_or_a_mask_beside_the_picture_is_passed_over(kind):
    picture = (of_kind(kind, GREY), {})
    small = of_kind("u1", 1 - GREY[::4, ::4])
    old = {"extratags": [(255, 3, 1, 2, True)]}
    mask = {"extratags": [(254, 4, 1, 4, True)]}
    for marked in ({"subfiletype": 1}, mask, old):
        for stored in ((picture, (small, marked)), ((small, marked), picture)):
            data = pages(*stored)
            pixels, size = decode_image(data)
            assert likeness(pixels, GREY) > 0.999
            assert size == image_size(data) == (32, 24)
    alone = pages((picture[0], {"subfiletype": 1}))
    assert likeness(decode_image(alone)[0], GREY) > 0.999


@pytest.mark.parametrize("look", [decode_image, image_size])
def test_of_several_pages_none_is_taken_in_silence(look):
    page = of_kind("u1", GREY)
    small = (page[::4, ::4], {"subfiletype": 1})
    stack = io.BytesIO()
    tifffile.imwrite(stack, np.stack([page] * 3), imagej=True, truncate=True)
    for data, reason in (
        (pages(*[(page, {})] * 10), "10 pages"),
        (pages((page[::4, ::4], {}), (page, {}), small), "2 pages"),
        (pages(small, small), "smaller copies"),
        (stack.getvalue(), "3 pages"),  # ImageJ's, with one page in the header
    ):
        with pytest.raises(ImageProblem, match=reason):
            look(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_moving_frames_none_is_taken_in_silence(kind):
    first, second = (Image.fromarray(of_kind("u1", shades)) for shades in (SHADES, 1 - SHADES))
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=[second])
    with pytest.raises(ImageProblem, match="2 moving frames"):
        decode_image(file.getvalue())


def test_what_only_tifffile_reads_names_the_extra_where_it_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ImageProblem, match=r"swapmark\[tiff\]"):
        decode_image(tiff_of_u4)
    assert likeness(decode_image(tiff_of_u2)[0], GREY) > 0.999


tiff_of_u4, tiff_of_u2 = (tiff(of_kind(kind, GREY)) for kind in ("u4", "u2"))


def test_colours_that_neither_reader_knows_are_refused_with_their_name():
    data = tiff(of_kind("f4", np.dstack([SHADES, GREY])), photometric="separated")
    with pytest.raises(ImageProblem, match="separated"):
        decode_image(data)


@pytest.mark.parametrize("kind", ["u2", "u4", "f4", "f8"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": "zlib"},
        {"compression": "zlib", "chunky": False},
        {"compression": "zlib", "rowsperstrip": 10_000, "predictor": 2},
        {"compression": "lzma", "rowsperstrip": 10_000},
        {"tile": (64, 64)},
    ],
)
def test_a_pixel_takes_no_more_than_20_bytes_while_it_is_decoded(
    kind, photometric, how, monkeypatch
):
    monkeypatch.setattr("swapmark.data.pixels.ROWS_OF", 2**12)  # as if it were a large picture
    monkeypatch.setattr(module, "AT_ONCE", 2**14)
    shades = np.tile(SHADES if photometric == "rgb" else GREY[..., None], (40, 20, 1))
    values = of_kind(kind, shades).squeeze()
    if values.nbytes >= 20 * shades[..., 0].size and "compression" not in how:
        pytest.skip("the file alone has more")
    left_out = {"chunky"} if values.ndim == 2 else set()
    left_out |= {"predictor"} if kind.startswith("f") else set()  # tifffile alone writes none
    how = {name: value for name, value in how.items() if name not in left_out}
    data = tiff(values, photometric=photometric, **how)
    del shades, values
    tracemalloc.start()
    pixels, _ = decode_image(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Up to 4 bytes a pixel that Pillow holds are not traced.
    by_pillow = 4 * (kind == "u2" or (kind, photometric) == ("f4", "minisblack"))
    assert (peak + len(data)) / (pixels.size / 3) + by_pillow < 20


def test_a_strip_that_unpacks_to_more_than_it_holds_is_a_problem():
    file = io.BytesIO()
    strip = iter([zlib.compress(bytes(2**22))])
    tifffile.imwrite(file, strip, shape=(24, 32), dtype="u4", compression="zlib", rowsperstrip=24)
    with pytest.raises(ImageProblem, match="more than its 3,072 bytes"):
        decode_image(file.getvalue())


def test_a_strip_that_is_too_large_to_be_unpacked_at_once_is_a_problem(monkeypatch):
    stored = of_kind("u4", GREY).tobytes()
    runs = [bytes([127]) + stored[at : at + 128] for at in range(0, len(stored), 128)]
    file, how = io.BytesIO(), {"shape": (24, 32), "dtype": "u4", "rowsperstrip": 24}
    tifffile.imwrite(file, iter([b"".join(runs)]), compression="zlib", **how)
    tag, packbits = (struct.pack("<HHIH", 259, 3, 1, code) for code in (8, 32773))
    data = file.getvalue().replace(tag, packbits)  # tifffile alone writes none
    assert likeness(decode_image(data)[0], GREY) > 0.999
    monkeypatch.setattr(module, "MOST_OF_A_STRIP", 1000)
    with pytest.raises(ImageProblem, match="strip or tile of"):
        decode_image(data)


@pytest.mark.parametrize("how", [{}, {"rowsperstrip": 7}, {"tile": (16, 16)}])
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_strips_and_tiles_unpacked_by_rows_give_what_tifffile_gives(
    compression, predictor, how, monkeypatch
):
    monkeypatch.setattr(module, "AT_ONCE", 100)  # less than a row
    for chunky in (True, False):
        values = of_kind("u4", SHADES)
        data = tiff(
            values,
            chunky=chunky,
            photometric="rgb",
            compression=compression,
            predictor=predictor,
            **how,
        )
        assert likeness(decode_image(data)[0], SHADES) > 0.999
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            stored = np.zeros((24, 32, 3), "u4")
            for part, (plane, _, top, left, _), _ in module._rows(page, data):
                there = stored[top:, left:, plane : plane + part.shape[-1]]
                part = part[0, : len(there), : there.shape[1]]
                there[: len(part), : part.shape[1]] = part
        assert (stored == values).all()


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
@pytest.mark.parametrize("height", [17, 23, 31, 33])
def test_tiles_that_reach_beyond_the_picture_are_cut_there(height, compression, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 100)
    shades = np.tile(SHADES, (2, 2, 1))[:height, :37]
    data = tiff(of_kind("u4", shades), photometric="rgb", compression=compression, tile=(16, 32))
    assert likeness(decode_image(data)[0], shades) > 0.999


def test_a_last_strip_that_is_filled_up_is_read():
    values = of_kind("u4", GREY)
    strips = [values[:16], np.concatenate([values[16:], np.zeros((2**15, 32), "u4")])]
    file, how = io.BytesIO(), {"shape": (24, 32), "dtype": "u4", "rowsperstrip": 16}
    packed = iter([zlib.compress(strip.tobytes()) for strip in strips])
    tifffile.imwrite(file, packed, compression="zlib", **how)
    with pytest.raises(ImageProblem, match="more than its"):
        decode_image(file.getvalue())
    packed = iter([zlib.compress(strip[:16].tobytes()) for strip in strips])
    file = io.BytesIO()
    tifffile.imwrite(file, packed, compression="zlib", **how)
    assert likeness(decode_image(file.getvalue())[0], GREY) > 0.999


def test_a_row_without_bound_is_a_problem(monkeypatch):
    monkeypatch.setattr(module, "MOST_OF_A_ROW", 100)
    with pytest.raises(ImageProblem, match="a row of"):
        decode_image(tiff(of_kind("u4", GREY), compression="zlib"))


@pytest.mark.parametrize("harm", [lambda strip: strip[:-3], lambda strip: strip[:-20]])
def test_a_strip_that_is_cut_off_or_changed_is_a_problem(harm):
    data = tiff(of_kind("u4", GREY), compression="zlib", rowsperstrip=24)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start, length = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    strip = harm(data[start : start + length])
    with pytest.raises(ImageProblem, match="truncated or damaged"):
        decode_image(data[:start] + strip + bytes(length - len(strip)) + data[start + length :])
    changed = bytearray(data)
    changed[start + length - 1] ^= 1  # its checksum
    with pytest.raises(ImageProblem, match="truncated or damaged"):
        decode_image(bytes(changed))
    short = iter([zlib.compress(bytes(100))])
    file = io.BytesIO()
    tifffile.imwrite(file, short, shape=(24, 32), dtype="u4", compression="zlib", rowsperstrip=24)
    with pytest.raises(ImageProblem, match="a strip or tile of 0 of 24 rows"):
        decode_image(file.getvalue())


def test_a_picture_whose_last_strips_are_not_listed_is_a_problem():
    data = bytearray(tiff_of_u4)
    place = data.index(struct.pack("<HHI", 257, 4, 1)) + 8  # its height
    data[place : place + 2] = (240).to_bytes(2, "little")
    with pytest.raises(ImageProblem, match="1 of 10 strips"):
        decode_image(bytes(data))


def test_damaged_headers_are_problems():
    random = np.random.default_rng(0)
    for data in (tiff_of_u4, tiff_of_u2, pages((of_kind("f4", GREY), {})) * 2):
        for _ in range(150):
            damaged = bytearray(data)
            for place in random.integers(4, 240, 3):
                damaged[place] = random.integers(0, 20)
            for look in (decode_image, image_size):
                with suppress(ImageProblem), warnings.catch_warnings(action="ignore"):
                    look(bytes(damaged))


@pytest.mark.parametrize("place", [2**63, 2**64 - 1])
def test_a_place_that_no_file_has_is_a_problem(place):
    data = tiff(GREY.astype("f4"), bigtiff=True)
    damaged = data[:8] + place.to_bytes(8, "little") + data[16:]
    for look in (decode_image, image_size):
        with pytest.raises(ImageProblem, match="lists no picture"):
            look(damaged)
