"""Decoding of one image and where it sits in the model's square."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from swapmark.data import pixels as module
from swapmark.data.images import Placement, decode_image, image_size, resize_image
from swapmark.data.pixels import ImageProblem, array_to_rgb
from swapmark.errors import InputError


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def quadrants(width: int = 96, height: int = 64) -> Image.Image:
    """Red, green, blue and grey quarters, so that any turn or flip shows."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (220, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 210)
    pixels[height // 2 :, width // 2 :] = (128, 128, 128)
    return Image.fromarray(pixels)


def corners(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    rows, columns = [height // 4, 3 * height // 4], [width // 4, 3 * width // 4]
    return pixels[np.ix_(rows, columns)].astype(int)


@pytest.mark.parametrize(
    ("kind", "mode", "tolerance"),
    [
        *(("PNG", "RGB", 0), ("BMP", "RGB", 0), ("TIFF", "RGB", 0)),
        *(("JPEG", "RGB", 12), ("WEBP", "RGB", 12), ("JPEG", "CMYK", 30)),
    ],
)
def test_every_format_gives_the_picture(kind, mode, tolerance):
    pixels, size = decode_image(encoded(quadrants().convert(mode), kind))
    assert size == (96, 64)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (64, 96, 3)
    difference = corners(pixels) - corners(np.asarray(quadrants()))
    assert np.abs(difference).max() <= tolerance


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "I;16"])
def test_every_png_mode_becomes_rgb(mode):
    bright = Image.new("L", (20, 10), 255)
    image = Image.new("I;16", (20, 10)) if mode == "I;16" else bright.convert(mode)
    if mode == "I;16":
        image.paste(65535, (0, 0, 10, 10))
    pixels, _ = decode_image(encoded(image, "PNG"))
    assert pixels.shape == (10, 20, 3)
    assert (pixels[:, :10] == 255).all()


def test_transparent_pixels_lie_on_white():
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.putpixel((1, 1), (255, 0, 0, 255))
    image.putpixel((2, 2), (0, 0, 0, 128))
    pixels, _ = decode_image(encoded(image, "PNG"))
    assert [pixels[i, i].tolist() for i in range(3)] == [[255] * 3, [255, 0, 0], [127] * 3]
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 10, 10])
    palette.putpixel((0, 0), 0)
    pixels, _ = decode_image(encoded(palette, "PNG", transparency=0))
    assert [pixels[i, i].tolist() for i in range(2)] == [[255] * 3, [200, 10, 10]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_stretched_from_the_range_it_uses(kind):
    ramp = np.linspace(1000, 4000, 64 * 64).astype(np.uint16).reshape(64, 64)  # a 12-bit camera
    pixels, _ = decode_image(encoded(Image.fromarray(ramp), kind))
    expected = np.clip((ramp - 1003.0) / (3997.0 - 1003.0) * 255, 0, 255)
    assert np.abs(pixels[..., 0] - expected).max() <= 1


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_that_only_tifffile_reads(planar):
    tifffile = pytest.importorskip("tifffile")
    values = np.random.default_rng(0).random((12, 20, 3)).astype(np.float32)
    file = io.BytesIO()
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    tifffile.imwrite(file, stored, photometric="rgb", planarconfig=planar)
    pixels, _ = decode_image(file.getvalue())
    assert np.abs(pixels / 255 - values).max() < 0.003


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_turn_is_applied(turn, kind, orientation):
    upright = quadrants()
    stored, exif = turn(orientation, upright)
    data = encoded(stored, kind, exif=exif)
    pixels, size = decode_image(data)
    assert size == image_size(data) == (96, 64)
    assert np.abs(corners(pixels) - corners(np.asarray(upright))).max() <= 12


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_draft_keeps_the_original_size_and_the_place_of_things(orientation):
    x = np.linspace(0, 255, 2003)[None, :, None]
    stored = Image.fromarray(np.broadcast_to(x, (1001, 2003, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, "JPEG", quality=95, exif=exif)
    (whole, size), (draft, draft_size) = decode_image(data), decode_image(data, draft_size=64)
    assert draft_size == size == ((1001, 2003) if orientation == 6 else (2003, 1001))
    assert max(draft.shape) < 300
    fitted, placement = resize_image(draft, 64, original_size=size)
    expected, expected_placement = resize_image(whole, 64)
    assert placement == expected_placement
    # The ramp has 4 grey values a model pixel: 1 is a quarter of a pixel.
    assert np.abs(fitted.astype(int) - expected).mean() < 0.6


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG", "WEBP"])
def test_truncated_files_are_problems(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    data = encoded(noise, kind)
    for length in (12, len(data) // 2):
        with pytest.raises(ImageProblem):
            decode_image(data[:length])


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"BM", b"II*\0"]))
def test_arbitrary_bytes_are_problems(data, signature):
    with pytest.raises(ImageProblem):
        decode_image(signature + data)


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    return start + struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "<html>"),
        (png_header(1, 1), "1×1"),
        (png_header(60_000, 60_000), "60000×60000"),  # a decompression bomb
        (b"\x89PNG\r\n\x1a\n", "header"),
    ],
)
@pytest.mark.parametrize("look", [decode_image, image_size])
def test_what_is_no_usable_image_is_refused_with_the_reason(look, data, reason):
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageProblem, match=reason):
        look(data)
    assert before == Image.MAX_IMAGE_PIXELS


def test_arrays_become_rgb_by_the_stated_rule():
    assert array_to_rgb(np.array([[False, True]] * 2))[0].tolist() == [[0] * 3, [255] * 3]
    wide = np.arange(10_000, dtype=np.int32).reshape(100, 100) - 5000
    assert (array_to_rgb(wide)[0, 0, 0], array_to_rgb(wide)[-1, -1, 0]) == (0, 255)
    with_hole = wide.astype(float)
    with_hole[3, 3] = np.nan
    assert array_to_rgb(with_hole)[3, 3, 0] == 0
    assert (array_to_rgb(np.full((4, 4), 7, np.uint16)) == 0).all()
    seen_through = np.zeros((2, 2, 4), np.uint8)
    seen_through[0, 0, 3] = 255
    assert array_to_rgb(seen_through)[..., 0].tolist() == [[0, 255], [255, 255]]


def test_arrays_that_are_no_images_are_problems():
    unclear = np.full((4, 4, 4), 300)  # is the fourth channel alpha, and up to which value?
    nothing, text = np.full((4, 4), np.nan), np.full((4, 4), "a")
    for values in (np.zeros(5), np.zeros((4, 4, 5)), np.zeros((1, 9)), nothing, text, unclear):
        with pytest.raises(ImageProblem):
            array_to_rgb(values)


@given(
    st.integers(2, 9000),
    st.integers(2, 9000),
    st.sampled_from([64, 128, 256]),
    st.sampled_from(["pad", "crop"]),
    st.lists(st.floats(-100, 9000), min_size=2, max_size=2),
)
def test_a_placement_is_undone_exactly(width, height, size, mode, point):
    placement = Placement(width, height, size, mode)
    xy = np.array([point])
    assert np.allclose(placement.to_original(placement.to_model(xy)), xy, atol=1e-6, rtol=1e-9)
    assert np.allclose(placement.to_model(placement.to_original(xy)), xy, atol=1e-6, rtol=1e-9)
    longest = max(placement.scaled) if mode == "pad" else min(placement.scaled)
    assert longest == size


def test_a_placement_maps_edges_to_edges():
    placement = Placement(200, 100, 64, "pad")
    outer = np.array([[-0.5, -0.5], [199.5, 99.5]])
    assert np.allclose(placement.to_model(outer), [[-0.5, 15.5], [63.5, 47.5]])
    placement = Placement(200, 100, 64, "crop")
    assert np.allclose(placement.to_model(np.array([[49.5, -0.5]])), [[-0.5, -0.5]])


@pytest.mark.parametrize("mode", ["pad", "crop"])
@pytest.mark.parametrize(("width", "height"), [(300, 200), (101, 257), (33, 40), (64, 64)])
def test_things_land_where_the_placement_says(mode, width, height):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    centre = np.array([0.45 * width, 0.55 * height])
    spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * (0.06 * width) ** 2))
    pixels = np.repeat(np.rint(spot * 255).astype(np.uint8)[..., None], 3, axis=-1)
    square, placement = resize_image(pixels, 64, mode)
    weight = square[..., 0].astype(float)
    weight[weight < 40] = 0  # the padding has the image's mean, which is not part of the spot
    columns, rows = np.meshgrid(np.arange(64), np.arange(64))
    found = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    assert np.abs(found - placement.to_model(centre)).max() < 0.06


def test_padding_has_the_mean_colour_and_extreme_aspects_fit():
    pixels = np.zeros((10, 40, 3), np.uint8)
    pixels[:, :20] = (200, 100, 40)
    square, _ = resize_image(pixels, 64)
    assert np.abs(square[0, 0].astype(int) - [100, 50, 20]).max() <= 1
    for mode in ("pad", "crop"):
        square, _ = resize_image(np.full((2, 30_000, 3), 77, np.uint8), 64, mode)
        assert (square == 77).all()


def test_an_unknown_way_to_resize_is_refused():
    with pytest.raises(InputError, match="stretch"):
        resize_image(np.zeros((4, 4, 3), np.uint8), 8, "stretch")


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_an_alpha_that_hides_everything_is_ignored(kind):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    for level in (0, 1):
        image = quadrants()
        image.putalpha(level)
        pixels, _ = decode_image(encoded(image, kind, **options))
        assert (pixels == np.asarray(quadrants())).all()
    image.putpixel((0, 0), (220, 30, 30, 255))
    pixels, _ = decode_image(encoded(image, kind, **options))
    assert pixels[0, 0].tolist() == [220, 30, 30]
    assert (pixels[1:] >= 254).all()
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 10, 10])
    pixels, _ = decode_image(encoded(palette, "PNG", transparency=1))
    assert pixels[0, 0].tolist() == [200, 10, 10]


def test_floats_of_a_small_range_are_stretched_and_others_multiplied():
    ramp = np.linspace(0, 1, 10_000).reshape(100, 100)
    for low, high in ((0, 0.004), (0.4, 0.5), (-0.1, 0.1), (0, 1.0001), (-5, -3)):
        values = low + ramp * (high - low)
        pixels = array_to_rgb(values.astype(np.float32))
        assert (pixels[0, 0, 0], pixels[-1, -1, 0]) == (0, 255)
    hot = ramp * 0.004
    hot[50, 50] = 1
    assert array_to_rgb(hot).mean() == pytest.approx(127, abs=2)
    assert np.abs(array_to_rgb(0.2 + ramp / 2)[..., 0] / 255 - 0.2 - ramp / 2).max() < 0.003
    assert (array_to_rgb(np.full((4, 4), 0.5)) == 128).all()


@pytest.mark.parametrize("kind", ["u2", "i4", "f4", "f8"])
def test_quantiles_found_in_bands_are_those_of_numpy(kind, monkeypatch):
    values = np.random.default_rng(1).standard_normal(310_000) * 900 + 9000
    values = np.sort(values).reshape(3100, 100, 1).astype(kind)  # the lowest come first
    expected = np.quantile(values, [0.001, 0.999])
    for size in (1, 5000, 2**20):
        monkeypatch.setattr(module, "ROWS_OF", size)
        bands = (band for _, band in module._bands(lambda: iter([(0, 0, 0, values)]), 1))
        assert module._limits(bands, values.size)[:2] == pytest.approx(expected, rel=1e-9)
