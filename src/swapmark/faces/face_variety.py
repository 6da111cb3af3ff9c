"""What is left to chance in a drawn face: the face itself, its background and its light."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from swapmark.faces.face_geometry import Colour, Face, mix

SKINS: tuple[Colour, ...] = (
    (255, 224, 200), (246, 205, 175), (232, 184, 148), (214, 160, 120),
    (190, 132, 92), (158, 104, 70), (124, 78, 52), (96, 60, 42),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (34, 28, 30), (62, 42, 32), (104, 66, 40), (150, 96, 52),
    (214, 172, 96), (236, 208, 140), (176, 74, 36), (150, 148, 150),
)  # fmt: skip
IRISES: tuple[Colour, ...] = (
    (92, 58, 34), (70, 120, 180), (84, 138, 88), (120, 132, 142), (134, 96, 46),
)  # fmt: skip


def random_face(random: np.random.Generator) -> Face:
    """Choose a face. The ranges make the error of the mean shape about 20 % of the eye distance.

    >>> abs(random_face(np.random.default_rng(0)).yaw) < 0.7
    True
    """

    def between(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def about(middle: float, deviation: float, limit: float = 2.0) -> float:
        return middle + deviation * float(np.clip(random.normal(), -limit, limit))

    def tone(colours: tuple[Colour, ...]) -> Colour:
        first, second = random.integers(len(colours), size=2)
        return mix(colours[first], colours[second], between(0, 0.4))

    yaw, pitch, scale, width = (
        about(0, 0.27),
        about(0, 0.09),
        about(0.76, 0.055),
        between(0.7, 0.84),
    )
    # As photos are cropped: what the turn does to the middle of the features, the crop half undoes.
    centre = np.array([about(0, 0.045), about(0.06, 0.045)])
    centre = centre - 0.5 * width * scale * np.sin([yaw, pitch])
    skin = tone(SKINS)
    hair_colour = _vivid(random, 0.6) if random.random() < 0.12 else tone(HAIRS)
    return Face(
        yaw=yaw,
        pitch=pitch,
        roll=about(0, 0.14),
        scale=scale,
        centre=(float(centre[0]), float(centre[1])),
        width=width,
        jaw=between(0.02, 0.34),
        eye_x=between(0.31, 0.37),
        eye_y=between(-0.14, 0.0),
        eye_width=between(0.15, 0.19),
        eye_open=between(0.5, 0.9),
        brow_gap=between(0.07, 0.14),
        brow_tilt=about(0, 0.035),
        brow_thickness=between(0.03, 0.09),
        nose_y=between(0.22, 0.34),
        nose_lift=between(0.12, 0.24),
        nose_width=between(0.12, 0.18),
        mouth_y=between(0.54, 0.64),
        mouth_width=between(0.24, 0.36),
        smile=between(-0.06, 0.17),
        mouth_open=between(0.08, 0.26) if random.random() < 0.45 else 0.0,
        lips=between(0.03, 0.09),
        hair=str(random.choice(["short", "long", "none"], p=[0.5, 0.42, 0.08])),
        hair_volume=between(0.05, 0.24),
        hair_length=between(0.9, 1.7),
        hairline=between(-0.66, -0.42),
        parting=about(0, 0.08),
        fringe=between(0, 0.05),
        glasses=bool(random.random() < 0.15),
        beard=bool(random.random() < 0.12),
        light=float(random.choice([-1.0, 1.0])),
        skin=skin,
        hair_colour=hair_colour,
        iris=tone(IRISES),
        mouth_colour=mix(skin, (200, 40, 60), between(0.35, 0.75)),
        shirt=_vivid(random, 0.7),
    )


def _vivid(random: np.random.Generator, strength: float) -> Colour:
    """A random colour, up to this saturation."""
    hue, saturation, value = random.uniform([0, 0.1, 0.35], [1, strength, 0.95])
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def plain_background(random: np.random.Generator) -> Image.Image:
    """A soft gradient between two near colours, as an image of 2 × 2 pixels.

    >>> plain_background(np.random.default_rng(0)).size
    (2, 2)
    """
    colour = _vivid(random, 0.5)
    other = mix(colour, _vivid(random, 0.5), 0.35)
    return Image.fromarray(np.array([[colour, colour], [other, other]], np.uint8))


def cluttered_background(random: np.random.Generator) -> Image.Image:
    """A blotchy texture with random ellipses, bars and shards, some of them skin-coloured.

    >>> cluttered_background(np.random.default_rng(0)).size
    (256, 256)
    """
    blotches = random.integers(0, 256, (random.integers(3, 12), 6, 3), dtype=np.uint8)
    image = Image.fromarray(blotches).resize((256, 256), Image.Resampling.BICUBIC)
    image = Image.blend(image, Image.new("RGB", image.size, _vivid(random, 0.7)), 0.5)
    pen = ImageDraw.Draw(image)
    for kind in random.integers(0, 4, random.integers(8, 24)):
        x, y, width, height = random.uniform([-40, -40, 8, 8], [256, 256, 110, 110])
        colour = SKINS[random.integers(len(SKINS))] if kind == 0 else _vivid(random, 0.9)
        if kind in (0, 1):
            pen.ellipse((x, y, x + width, y + height), fill=colour)
        elif kind == 2:
            shard = (random.uniform(-1, 1, (5, 2)) * [width, height] + [x, y]).ravel().tolist()
            pen.polygon(shard, fill=colour)
        else:
            end = (x + 2 * width - 100, y + 2 * height - 100)
            pen.line((x, y, *end), fill=colour, width=int(random.integers(2, 14)))
    return image


def photograph(drawing: Image.Image, face: Face, random: np.random.Generator) -> np.ndarray:
    """Light the drawing from the side, blur it a little and add noise: uint8 (size, size, 3).

    >>> random = np.random.default_rng(0)
    >>> photograph(Image.new("RGB", (16, 16)), random_face(random), random).shape
    (16, 16, 3)
    """
    size = drawing.width
    drawing = drawing.filter(ImageFilter.GaussianBlur(random.uniform(0, 0.006) * size))
    across = np.linspace(-1, 1, size, dtype=np.float32)
    side, down = random.uniform([0, -0.12], [0.22, 0.12]).astype(np.float32)
    light = 1 + face.light * side * across[None, :, None] + down * across[:, None, None]
    brightness, tint = random.uniform(0.82, 1.12), random.uniform(0.95, 1.05, 3)
    light = light * np.float32(brightness) * tint.astype(np.float32)
    noise = random.standard_normal((size, size, 3), np.float32) * np.float32(random.uniform(0, 5))
    return np.clip(np.asarray(drawing) * light + noise, 0, 255).astype(np.uint8)
