"""The look of a drawn face: flat polygons over a background, painted from back to front."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from swapmark.coordinates import unit_to_pixels
from swapmark.faces.face import SKINS, Colour, Face, mix, points_at, vivid

LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""The five landmarks; left is the image's left."""
DARK: Colour = (24, 18, 22)
WHITE: Colour = (252, 250, 246)
ANGLES = np.linspace(0, 2 * np.pi, 29)[:-1]
COS, SIN = np.cos(ANGLES), np.sin(ANGLES)
ACROSS = np.linspace(-1, 1, 17)
ARCH = 1 - ACROSS**2
CIRCLE = points_at(COS, SIN, 0.0)


class Part(NamedTuple):
    """One polygon of a drawing; later parts cover earlier ones."""

    name: str
    points: np.ndarray
    """(n, 3) corners in head coordinates, or (n, 2) in unit coordinates."""
    colour: Colour


def face_landmarks(face: Face) -> np.ndarray:
    """The five points (5, 2) of LANDMARK_NAMES in unit coordinates."""
    sides = np.array([-1, 1])
    corners = face.in_front(sides * face.mouth_width, _mouth_line(face)[[0, -1]])
    eyes = face.in_front(sides * face.eye_x, face.eye_y)
    return face.project(np.concatenate([eyes, _nose_tip(face), corners]))


def face_parts(face: Face) -> Iterator[Part]:
    """The polygons of a face from back to front in unit coordinates: glasses come last."""
    yield from _behind(face)
    near = 1 if face.yaw < 0 else -1  # the ear on this side is turned towards the viewer
    parts = [_ear(face, -near), *_head(face), *_mouth(face), *_eye(face, -1), *_eye(face, 1)]
    parts += [*_nose(face), *_hair(face), _ear(face, near), *_glasses(face)]
    for part in parts:
        yield part._replace(points=face.project(part.points))


def _shade(face: Face, amount: float) -> Colour:
    return mix(face.skin, (70, 20, 30), amount)


def _behind(face: Face) -> Iterator[Part]:
    """Hair that falls behind the neck, neck and shoulders, which tilt less than the head."""
    if face.hair == "long":
        half = (1 + face.hair_volume) * face.width * (1 - 0.08 * COS)
        down = np.where(SIN > 0, face.hair_length, 1 + face.hair_volume)
        fall = points_at(half * np.sign(COS) * abs(COS) ** 0.6, down * SIN, -0.25)
        yield Part("hair_behind", face.project(fall), mix(face.hair_colour, DARK, 0.25))
    neck = np.array([[-0.36, 0.5], [0.36, 0.5], [0.46, 1.45], [-0.46, 1.45]])
    body = np.stack([1.35 * COS, 1.98 + 0.85 * np.sign(SIN) * abs(SIN) ** 0.7], axis=-1)
    collar = np.stack([0.5 * COS, 1.24 + 0.17 * SIN], axis=-1)
    roll = face.roll * 0.5
    yield Part("neck", face.tilt(neck, roll), _shade(face, 0.22))
    yield Part("body", face.tilt(body, roll), face.shirt)
    yield Part("collar", face.tilt(collar, roll), _shade(face, 0.16))


def _head(face: Face) -> Iterator[Part]:
    edge, y = face.edge, np.sin(ACROSS * np.pi / 2)
    left, right = face.around(edge - np.pi, y), face.around(edge, y)
    yield Part("head", _between(left, right), face.skin)
    if face.light < 0:
        shadow = _between(right, face.around(edge - 0.75, y))
    else:
        shadow = _between(left, face.around(edge - np.pi + 0.75, y))
    yield Part("shadow", shadow, _shade(face, 0.1))
    if face.beard:
        angles = np.linspace(edge - np.pi, edge, 25)
        top = 0.30 + 0.24 * np.cos(angles) ** 2 * (abs(angles) < np.pi / 2)
        rim = np.linspace(0.3, 1, 9)
        chin = _between(*(face.around(a, rim, 1.02) for a in (edge, edge - np.pi)))
        beard = np.concatenate([face.around(angles, top), chin])
        yield Part("beard", beard, mix(mix(face.hair_colour, face.skin, 0.3), DARK, 0.3))
        return
    for side in (-1, 1):
        x = side * face.width * 0.52 + 0.15 * COS
        y = (face.nose_y + face.mouth_y) / 2 - 0.02 + 0.11 * SIN
        yield Part("cheek", face.in_front(x, y), mix(face.skin, (235, 90, 90), 0.16))


def _between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The surface between two curves that run the same way."""
    return np.concatenate([first, second[::-1]])


def _ear(face: Face, side: int) -> Part:
    x = side * face.width * 1.02 + 0.13 * COS
    ear = points_at(x, face.eye_y + 0.17 + 0.22 * SIN, -0.05)
    return Part("ear", ear, _shade(face, 0.12))


def _eye(face: Face, side: int) -> Iterator[Part]:
    name, x, y = "left" if side < 0 else "right", side * face.eye_x, face.eye_y
    height = face.eye_width * face.eye_open
    iris = min(0.95 * height, 0.62 * face.eye_width)

    def ring(radius_x: float, radius_y: float, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        return face.in_front(x + dx + radius_x * COS, y + dy + radius_y * SIN)

    yield Part(f"eye_{name}", ring(face.eye_width, height), WHITE)
    yield Part(f"iris_{name}", ring(iris, iris), face.iris)
    yield Part(f"pupil_{name}", ring(0.52 * iris, 0.52 * iris), DARK)
    glint = ring(0.2 * iris, 0.2 * iris, face.light * 0.3 * iris, -0.3 * iris)
    yield Part(f"glint_{name}", glint, WHITE)
    lid_x, arch = x + 1.08 * face.eye_width * ACROSS, np.sqrt(ARCH)
    lid = _band(face, lid_x, y - (height + 0.045) * arch, y - height * arch)
    yield Part(f"lid_{name}", lid, mix(face.skin, DARK, 0.75))
    brow_x = x + 1.25 * face.eye_width * ACROSS
    brow_y = y - height - face.brow_gap - 0.07 * ARCH - side * face.brow_tilt * ACROSS
    taper = face.brow_thickness * (1 - 0.5 * (0.5 + 0.5 * side * ACROSS))
    brow = _band(face, brow_x, brow_y - taper, brow_y)
    yield Part(f"brow_{name}", brow, mix(face.hair_colour, DARK, 0.3))


def _band(face: Face, x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The front of the head between two curves that run from left to right."""
    return _between(face.in_front(x, upper), face.in_front(x, lower))


def _nose_tip(face: Face) -> np.ndarray:
    return face.in_front(np.array([0.0]), face.nose_y, face.nose_lift)


def _nose(face: Face) -> Iterator[Part]:
    tip, width = _nose_tip(face), face.nose_width
    wing = np.array([-face.light * width * 1.25, width * 0.35])
    base = face.in_front(wing[:1], face.nose_y + wing[1:], face.nose_lift * 0.25)
    bridge = face.in_front(wing[:1] * 0.25, face.eye_y, face.nose_lift * 0.2)
    yield Part("nose_side", np.concatenate([bridge, tip, base]), _shade(face, 0.22))
    ball = tip + CIRCLE * [width * 0.72, width * 0.62, 0]
    yield Part("nose_tip", ball, mix(face.skin, (215, 80, 70), 0.3))
    for side in (-1, 1):
        place = [side * width * 0.42, width * 0.5, -0.25 * face.nose_lift]
        yield Part("nostril", tip + CIRCLE * [0.03, 0.022, 0] + place, _shade(face, 0.55))
    glint = tip + CIRCLE * 0.2 * width + np.array([face.light * 0.2, -0.25, 0]) * width
    yield Part("nose_glint", glint, mix(face.skin, WHITE, 0.35))


def _mouth_line(face: Face) -> np.ndarray:
    """Height of the line between the lips at 17 places from the left corner to the right one."""
    return face.mouth_y + face.smile * (0.5 - ACROSS**2)


def _mouth(face: Face) -> Iterator[Part]:
    x, line, bow = face.mouth_width * ACROSS, _mouth_line(face), ARCH * (0.75 + 0.5 * abs(ACROSS))
    upper, lower = line - face.mouth_open * 0.25 * ARCH, line + face.mouth_open * 0.75 * ARCH
    lips = _band(face, x, upper - face.lips * 0.8 * bow, lower + face.lips * ARCH)
    yield Part("lips", lips, face.mouth_colour)
    inside = _band(face, x, upper - 0.012 * ARCH, lower + 0.012 * ARCH)
    yield Part("mouth", inside, mix(face.mouth_colour, DARK, 0.75))
    if face.mouth_open > 0.08:
        yield Part("teeth", _band(face, x, upper, upper + 0.07 * ARCH), WHITE)


def _hair(face: Face) -> Iterator[Part]:
    if face.hair == "none":
        return
    edge, swell = face.edge, 1 + face.hair_volume
    angles = np.linspace(edge - np.pi, edge, 33)
    # Level over the forehead, down beside the temples, to the nape behind the ears.
    drop = 0.5 * np.maximum((abs(angles) - 0.55) / 0.9, 0) ** 1.5
    locks = face.fringe * np.cos(7 * angles)
    line = np.minimum(face.hairline + face.parting * np.sin(angles) + drop + locks, 0.55)
    up = (1 - np.linspace(0, 1, 17)) ** 2
    right = face.around(edge, -1 + (1 + line[-1]) * up, swell)
    left = face.around(edge - np.pi, -1 + (1 + line[0]) * up, swell)
    crown = np.concatenate([face.around(angles, line, 1.02), _between(right, left)])
    yield Part("hair", crown, face.hair_colour)
    shine = 0.35 * ACROSS - 0.25 * face.light
    rim = [face.around(shine, -0.87 + thick * ARCH, swell) for thick in (0.0, 0.07)]
    yield Part("hair_shine", _between(*rim), mix(face.hair_colour, WHITE, 0.2))


def _glasses(face: Face) -> Iterator[Part]:
    if not face.glasses:
        return
    radius = min(face.eye_x * 0.86, face.eye_width * 1.5)
    circle = np.concatenate([CIRCLE, CIRCLE[:1]])
    middle = face.in_front(np.array([-1, 1]) * face.eye_x, face.eye_y, 0.1)
    colour = mix(face.shirt, DARK, 0.8)
    rims = np.concatenate([circle * radius, circle[::-1] * (radius - 0.045)])
    yield Part("rim_left", middle[0] + rims, colour)
    yield Part("rim_right", middle[1] + rims, colour)
    inner = middle[:, :1] * (1 - radius / face.eye_x)
    bridge_y = face.eye_y + np.array([-0.06, -0.06, -0.02, -0.02])
    bridge = points_at(np.append(inner, inner[::-1]), bridge_y, middle[0, 2] + 0.05)
    yield Part("rim_bridge", bridge, colour)


def paint(parts: Iterable[Part], size: int, background: Image.Image) -> Image.Image:
    """Fill the polygons over a background, smoothly: drawn enlarged, then averaged down.

    `background` is enlarged to fit. The result is `size` pixels a side.
    """
    factor = 4 if size <= 128 else 2
    canvas = background.resize((size * factor, size * factor), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(canvas)
    for part in parts:
        corners = np.rint(unit_to_pixels(part.points, size * factor))  # Pillow would cut them off
        pen.polygon(corners.ravel().tolist(), fill=part.colour)
    return canvas.reduce(factor)


def plain_background(random: np.random.Generator) -> Image.Image:
    """A soft gradient between two near colours, as an image of 2 × 2 pixels."""
    colour = vivid(random, 0.5)
    other = mix(colour, vivid(random, 0.5), 0.35)
    return Image.fromarray(np.array([[colour, colour], [other, other]], np.uint8))


def cluttered_background(random: np.random.Generator) -> Image.Image:
    """A blotchy texture with random ellipses, bars and shards, some of them skin-coloured."""
    blotches = random.integers(0, 256, (random.integers(3, 12), 6, 3), dtype=np.uint8)
    image = Image.fromarray(blotches).resize((256, 256), Image.Resampling.BICUBIC)
    image = Image.blend(image, Image.new("RGB", image.size, vivid(random, 0.7)), 0.5)
    pen = ImageDraw.Draw(image)
    for kind in random.integers(0, 4, random.integers(8, 24)):
        x, y, width, height = random.uniform([-40, -40, 8, 8], [256, 256, 110, 110])
        colour = SKINS[random.integers(len(SKINS))] if kind == 0 else vivid(random, 0.9)
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
    """Light the drawing from the side, blur it a little and add noise: uint8 (size, size, 3)."""
    size = drawing.width
    drawing = drawing.filter(ImageFilter.GaussianBlur(random.uniform(0, 0.006) * size))
    across = np.linspace(-1, 1, size, dtype=np.float32)
    side, down = random.uniform([0, -0.12], [0.22, 0.12]).astype(np.float32)
    light = 1 + face.light * side * across[None, :, None] + down * across[:, None, None]
    brightness, tint = random.uniform(0.82, 1.12), random.uniform(0.95, 1.05, 3)
    light = light * np.float32(brightness) * tint.astype(np.float32)
    noise = random.standard_normal((size, size, 3), np.float32) * np.float32(random.uniform(0, 5))
    return np.clip(np.asarray(drawing) * light + noise, 0, 255).astype(np.uint8)
