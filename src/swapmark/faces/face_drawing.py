"""The look of a drawn face: its parts as flat polygons, painted from back to front."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from swapmark.coordinates import unit_to_pixels
from swapmark.faces.face_geometry import (
    DARK,
    WHITE,
    Colour,
    Face,
    around,
    edge_angle,
    in_front,
    mix,
    points_at,
    project,
    tilt,
)

LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""The five landmarks; left is the image's left."""

ANGLES = np.linspace(0, 2 * np.pi, 29)[:-1]
ACROSS = np.linspace(-1, 1, 17)


@dataclass(frozen=True)
class Part:
    """One polygon of a drawing; later parts cover earlier ones."""

    name: str
    points: np.ndarray
    """(n, 2) corners in unit coordinates."""
    colour: Colour


def face_landmarks(face: Face) -> np.ndarray:
    """The five points (5, 2) of LANDMARK_NAMES in unit coordinates.

    >>> from swapmark.faces.face_variety import random_face
    >>> face_landmarks(random_face(np.random.default_rng(0))).shape
    (5, 2)
    """
    corners = in_front(face, np.array([-1, 1]) * face.mouth_width, _mouth_line(face)[[0, -1]])
    eyes = in_front(face, np.array([-1, 1]) * face.eye_x, face.eye_y)
    return project(face, np.concatenate([eyes, _nose_tip(face), corners]))


def face_parts(face: Face) -> list[Part]:
    """The polygons of a face from back to front: long hair and body first, glasses last.

    >>> from swapmark.faces.face_variety import random_face
    >>> parts = face_parts(random_face(np.random.default_rng(0)))
    >>> [part.name for part in parts if part.name.startswith("pupil")]
    ['pupil_left', 'pupil_right']
    """
    near = 1 if face.yaw < 0 else -1  # the ear on this side is turned towards the viewer
    shapes = [
        _ear(face, -near),
        *_head(face),
        *_mouth(face),
        *_eye(face, -1),
        *_eye(face, 1),
        *_nose(face),
        *_hair(face),
        _ear(face, near),
        *(_glasses(face) if face.glasses else []),
    ]
    names, outlines, colours = zip(*shapes, strict=True)
    flat = project(face, np.concatenate(outlines))
    polygons = np.split(flat, np.cumsum([len(outline) for outline in outlines])[:-1])
    return [*_behind(face), *map(Part, names, polygons, colours)]


Shape = tuple[str, np.ndarray, Colour]


def _shade(face: Face, amount: float) -> Colour:
    return mix(face.skin, (70, 20, 30), amount)


def _behind(face: Face) -> list[Part]:
    """Hair that falls behind the neck, neck and shoulders, which tilt less than the head."""
    cos, sin = np.cos(ANGLES), np.sin(ANGLES)
    neck = np.array([[-0.36, 0.5], [0.36, 0.5], [0.46, 1.45], [-0.46, 1.45]])
    body = np.stack([1.35 * cos, 1.98 + 0.85 * np.sign(sin) * abs(sin) ** 0.7], axis=-1)
    collar = np.stack([0.5 * cos, 1.24 + 0.17 * sin], axis=-1)
    shapes = [
        ("neck", neck, _shade(face, 0.22)),
        ("body", body, face.shirt),
        ("collar", collar, _shade(face, 0.16)),
    ]
    parts = [Part(name, tilt(face, xy, face.roll * 0.5), colour) for name, xy, colour in shapes]
    if face.hair != "long":
        return parts
    half = (1 + face.hair_volume) * face.width * (1 - 0.08 * cos)
    down = np.where(sin > 0, face.hair_length, 1 + face.hair_volume)
    fall = points_at(half * np.sign(cos) * abs(cos) ** 0.6, down * sin, -0.25)
    colour = mix(face.hair_colour, DARK, 0.25)
    return [Part("hair_behind", project(face, fall), colour), *parts]


def _head(face: Face) -> list[Shape]:
    edge, y = edge_angle(face), np.sin(ACROSS * np.pi / 2)
    left, right = around(face, edge - np.pi, y), around(face, edge, y)
    dark_edge = right if face.light < 0 else left
    shadow = around(face, edge - 0.75 if face.light < 0 else edge - np.pi + 0.75, y)
    shapes: list[Shape] = [
        ("head", np.concatenate([left, right[::-1]]), face.skin),
        ("shadow", np.concatenate([dark_edge, shadow[::-1]]), _shade(face, 0.1)),
    ]
    if face.beard:
        angles = np.linspace(edge - np.pi, edge, 25)
        top = 0.30 + 0.24 * np.cos(angles) ** 2 * (abs(angles) < np.pi / 2)
        rim = np.linspace(0.3, 1, 9)
        chin = [around(face, a, rim, 1.02) for a in (edge, edge - np.pi)]
        beard = np.concatenate([around(face, angles, top), chin[0], chin[1][::-1]])
        return [*shapes, ("beard", beard, mix(mix(face.hair_colour, face.skin, 0.3), DARK, 0.3))]
    for side in (-1, 1):
        cheek = in_front(
            face,
            side * face.width * 0.52 + 0.15 * np.cos(ANGLES),
            (face.nose_y + face.mouth_y) / 2 - 0.02 + 0.11 * np.sin(ANGLES),
        )
        shapes.append(("cheek", cheek, mix(face.skin, (235, 90, 90), 0.16)))
    return shapes


def _ear(face: Face, side: int) -> Shape:
    x = side * face.width * 1.02 + 0.13 * np.cos(ANGLES)
    return "ear", points_at(x, face.eye_y + 0.17 + 0.22 * np.sin(ANGLES), -0.05), _shade(face, 0.12)


def _eye(face: Face, side: int) -> list[Shape]:
    name, x, y = "left" if side < 0 else "right", side * face.eye_x, face.eye_y
    height = face.eye_width * face.eye_open

    def ring(radius_x: float, radius_y: float, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        return in_front(
            face, x + dx + radius_x * np.cos(ANGLES), y + dy + radius_y * np.sin(ANGLES)
        )

    lid_x, arch = x + 1.08 * face.eye_width * ACROSS, np.sqrt(1 - ACROSS**2)
    lid = [(lid_x, y - (height + thick) * arch) for thick in (0.045, 0.0)]
    brow_x = x + 1.25 * face.eye_width * ACROSS
    brow_y = y - height - face.brow_gap - 0.07 * (1 - ACROSS**2) - side * face.brow_tilt * ACROSS
    taper = face.brow_thickness * (1 - 0.5 * (0.5 + 0.5 * side * ACROSS))
    iris = min(0.95 * height, 0.62 * face.eye_width)
    return [
        (f"eye_{name}", ring(face.eye_width, height), WHITE),
        (f"iris_{name}", ring(iris, iris), face.iris),
        (f"pupil_{name}", ring(0.52 * iris, 0.52 * iris), DARK),
        (
            f"glint_{name}",
            ring(0.2 * iris, 0.2 * iris, face.light * 0.3 * iris, -0.3 * iris),
            WHITE,
        ),
        (f"lid_{name}", _band(face, *lid), mix(face.skin, DARK, 0.75)),
        (
            f"brow_{name}",
            _band(face, (brow_x, brow_y - taper), (brow_x, brow_y)),
            mix(face.hair_colour, DARK, 0.3),
        ),
    ]


def _band(face: Face, upper: tuple, lower: tuple) -> np.ndarray:
    """The surface between two curves that run from left to right."""
    return np.concatenate([in_front(face, *upper), in_front(face, *lower)[::-1]])


def _nose_tip(face: Face) -> np.ndarray:
    return in_front(face, np.array([0.0]), face.nose_y, face.nose_lift)


def _nose(face: Face) -> list[Shape]:
    tip = _nose_tip(face)
    circle = points_at(np.cos(ANGLES), np.sin(ANGLES), 0.0)
    ball = tip + circle * [face.nose_width * 0.72, face.nose_width * 0.62, 0]
    wing = np.array([-face.light * face.nose_width * 1.25, face.nose_width * 0.35])
    base = in_front(face, wing[:1], face.nose_y + wing[1:], face.nose_lift * 0.25)
    bridge = in_front(face, wing[:1] * 0.25, face.eye_y, face.nose_lift * 0.2)
    nostrils = [
        tip
        + circle * [0.03, 0.022, 0]
        + [side * face.nose_width * 0.42, face.nose_width * 0.5, -0.25 * face.nose_lift]
        for side in (-1, 1)
    ]
    glint = tip + circle * 0.2 * face.nose_width
    glint = glint + np.array([face.light * 0.2, -0.25, 0]) * face.nose_width
    return [
        ("nose_side", np.concatenate([bridge, tip, base]), _shade(face, 0.22)),
        ("nose_tip", ball, mix(face.skin, (215, 80, 70), 0.3)),
        *(("nostril", nostril, _shade(face, 0.55)) for nostril in nostrils),
        ("nose_glint", glint, mix(face.skin, WHITE, 0.35)),
    ]


def _mouth_line(face: Face) -> np.ndarray:
    """Height of the line between the lips at 17 places from the left corner to the right one."""
    return face.mouth_y + face.smile * (0.5 - ACROSS**2)


def _mouth(face: Face) -> list[Shape]:
    x, line, arch = face.mouth_width * ACROSS, _mouth_line(face), 1 - ACROSS**2
    bow = arch * (0.75 + 0.5 * abs(ACROSS))
    upper, lower = line - face.mouth_open * 0.25 * arch, line + face.mouth_open * 0.75 * arch
    inside = mix(face.mouth_colour, DARK, 0.75)
    shapes: list[Shape] = [
        (
            "lips",
            _band(face, (x, upper - face.lips * 0.8 * bow), (x, lower + face.lips * arch)),
            face.mouth_colour,
        ),
        ("mouth", _band(face, (x, upper - 0.012 * arch), (x, lower + 0.012 * arch)), inside),
    ]
    if face.mouth_open > 0.08:
        shapes.append(("teeth", _band(face, (x, upper), (x, upper + 0.07 * arch)), WHITE))
    return shapes


def _hair(face: Face) -> list[Shape]:
    if face.hair == "none":
        return []
    edge = edge_angle(face)
    angles = np.linspace(edge - np.pi, edge, 33)
    # Level over the forehead, down beside the temples, to the nape behind the ears.
    drop = 0.5 * np.maximum((abs(angles) - 0.55) / 0.9, 0) ** 1.5
    locks = face.fringe * np.cos(7 * angles)
    line = np.minimum(face.hairline + face.parting * np.sin(angles) + drop + locks, 0.55)
    swell = 1 + face.hair_volume
    up = (1 - np.linspace(0, 1, 17)) ** 2
    right = around(face, edge, -1 + (1 + line[-1]) * up, swell)
    left = around(face, edge - np.pi, -1 + (1 + line[0]) * up, swell)
    shine = 0.35 * ACROSS - 0.25 * face.light
    rim = [around(face, shine, -0.87 + thick * (1 - ACROSS**2), swell) for thick in (0.0, 0.07)]
    return [
        (
            "hair",
            np.concatenate([around(face, angles, line, 1.02), right, left[::-1]]),
            face.hair_colour,
        ),
        ("hair_shine", np.concatenate([rim[0], rim[1][::-1]]), mix(face.hair_colour, WHITE, 0.2)),
    ]


def _glasses(face: Face) -> list[Shape]:
    radius = min(face.eye_x * 0.86, face.eye_width * 1.5)
    closed = np.append(ANGLES, 0.0)
    circle = points_at(np.cos(closed), np.sin(closed), 0.0)
    middle = in_front(face, np.array([-1, 1]) * face.eye_x, face.eye_y, 0.1)
    frame = mix(face.shirt, DARK, 0.8)
    rims = np.concatenate([circle * radius, circle[::-1] * (radius - 0.045)])
    inner = middle[:, :1] * (1 - radius / face.eye_x)
    bridge_y = face.eye_y + np.array([-0.06, -0.06, -0.02, -0.02])
    bridge = points_at(np.append(inner, inner[::-1]), bridge_y, middle[0, 2] + 0.05)
    return [
        ("rim_left", middle[0] + rims, frame),
        ("rim_right", middle[1] + rims, frame),
        ("rim_bridge", bridge, frame),
    ]


def paint(parts: list[Part], size: int, background: Image.Image) -> Image.Image:
    """Fill the polygons over a background, smoothly: drawn enlarged, then averaged down.

    `background` is enlarged to fit. The result is `size` pixels a side.

    >>> square = Part("square", np.array([[-1, -1], [0, -1], [0, 0], [-1, 0]]), (255, 0, 0))
    >>> paint([square], 16, Image.new("RGB", (1, 1))).getpixel((4, 4))
    (255, 0, 0)
    """
    factor = 4 if size <= 128 else 2
    canvas = background.resize((size * factor, size * factor), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(canvas)
    for part in parts:
        corners = np.rint(unit_to_pixels(part.points, size * factor))  # Pillow would cut them off
        pen.polygon(corners.ravel().tolist(), fill=part.colour)
    return canvas.reduce(factor)
