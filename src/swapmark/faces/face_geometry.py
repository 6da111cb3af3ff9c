"""The shape of a drawn face: a head in three dimensions, seen from the front.

A head is a stack of ellipses: at height y it reaches `width * profile(y)` to the sides and
`depth * profile(y)` to the front. Head coordinates are (x, y, z): x to the image's right, y down
(crown -1, chin 1), z towards the viewer. Eyes, nose, mouth and hair are curves on that surface, so
that a turn of the head moves the nose further than the eyes and narrows the far half of the face.
The view is orthographic and ends in unit coordinates (see `coordinates`).
"""

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]
Lengths = float | np.ndarray

DARK: Colour = (24, 18, 22)
WHITE: Colour = (252, 250, 246)


@dataclass(frozen=True)
class Face:
    """Everything that tells one face from another; lengths are in half head heights."""

    yaw: float
    """Turn of the head in radians; positive looks to the image's right."""
    pitch: float
    """Nod in radians; positive looks down."""
    roll: float
    """Tilt in the image plane in radians; positive turns clockwise."""
    scale: float
    """Half the head's height in unit coordinates (the image is 2 high)."""
    centre: tuple[float, float]
    """Middle of the head in unit coordinates."""
    width: float
    """Half the head's width, seen from the front."""
    jaw: float
    """How much narrower the chin is than an ellipse; 0 is an ellipse."""
    eye_x: float
    eye_y: float
    eye_width: float
    eye_open: float
    """Height of the eye opening over its width."""
    brow_gap: float
    brow_tilt: float
    """Positive brows look cross, negative ones worried."""
    brow_thickness: float
    nose_y: float
    nose_lift: float
    """How far the tip stands out of the head."""
    nose_width: float
    mouth_y: float
    mouth_width: float
    smile: float
    """How far the corners of the mouth stand above its middle."""
    mouth_open: float
    lips: float
    """Thickness of the lips."""
    hair: str
    """`short`, `long` or `none`."""
    hair_volume: float
    hair_length: float
    hairline: float
    """Height of the hairline over the forehead."""
    parting: float
    """How much lower the hairline is on one side than on the other."""
    fringe: float
    """How far the locks of the fringe hang down."""
    glasses: bool
    beard: bool
    light: float
    """Which side the light comes from: -1 (left) or 1 (right)."""
    skin: Colour
    hair_colour: Colour
    iris: Colour
    mouth_colour: Colour
    shirt: Colour

    @property
    def depth(self) -> float:
        """Half the head's depth."""
        return self.width * 1.05


def mix(first: Colour, second: Colour, amount: float) -> Colour:
    """Blend two colours; `amount` 0 gives the first and 1 the second.

    >>> mix((0, 0, 0), (200, 100, 50), 0.5)
    (100, 50, 25)
    """
    red, green, blue = (round(a + (b - a) * amount) for a, b in zip(first, second, strict=True))
    return red, green, blue


def profile(y: Lengths, jaw: float) -> Lengths:
    """How wide the head is at height y, over its widest; 0 at the crown (-1) and the chin (1).

    >>> [float(profile(y, jaw=0.2)) for y in (-1.0, 0.0, 1.0)]
    [0.0, 1.0, 0.0]
    """
    return np.sqrt(np.maximum(1 - y**2, 0)) * (1 - jaw * np.maximum(y, 0) ** 2)


def around(face: Face, angle: Lengths, y: Lengths, swell: float = 1.0) -> np.ndarray:
    """Points (n, 3) on the head at an angle from straight ahead (radians) and a height.

    `swell` enlarges the head, for what grows around it.

    >>> from swapmark.faces.face_variety import random_face
    >>> face = random_face(np.random.default_rng(0))
    >>> bool(np.allclose(around(face, 0.0, 0.0), [0, 0, face.depth]))
    True
    """
    reach = profile(y, face.jaw) * swell
    return points_at(
        face.width * reach * np.sin(angle), y * swell, face.depth * reach * np.cos(angle)
    )


def in_front(face: Face, x: Lengths, y: Lengths, lift: float = 0.0) -> np.ndarray:
    """Points (n, 3) on the front of the head at (x, y), raised by `lift` towards the viewer.

    >>> from swapmark.faces.face_variety import random_face
    >>> face = random_face(np.random.default_rng(0))
    >>> bool(np.allclose(in_front(face, 0.0, 0.0, lift=0.5), [0, 0, face.depth + 0.5]))
    True
    """
    squared = profile(y, face.jaw) ** 2 - (x / face.width) ** 2
    return points_at(x, y, face.depth * np.sqrt(np.maximum(squared, 0)) + lift)


def points_at(x: Lengths, y: Lengths, z: Lengths) -> np.ndarray:
    """Broadcast three coordinates into (n, 3); quicker than np.stack for so few numbers.

    >>> points_at(np.array([1.0, 2.0]), 5.0, 0.0).tolist()
    [[1.0, 5.0, 0.0], [2.0, 5.0, 0.0]]
    """
    points = np.empty((*np.broadcast(x, y, z).shape, 3))
    points[..., 0], points[..., 1], points[..., 2] = x, y, z
    return points


def edge_angle(face: Face) -> float:
    """The angle at which the turned head meets the background on the image's right.

    On the image's left it is this angle less π.

    >>> from dataclasses import replace
    >>> from swapmark.faces.face_variety import random_face
    >>> straight = replace(random_face(np.random.default_rng(0)), yaw=0.0)
    >>> bool(np.isclose(edge_angle(straight), np.pi / 2))
    True
    """
    return float(np.arctan2(face.width * np.cos(face.yaw), face.depth * np.sin(face.yaw)))


def project(face: Face, points: np.ndarray) -> np.ndarray:
    """Turn (yaw), nod (pitch) and tilt (roll) points (n, 3) and drop depth: (n, 2) in unit.

    >>> from swapmark.faces.face_variety import random_face
    >>> face = random_face(np.random.default_rng(0))
    >>> bool(np.allclose(project(face, np.zeros((1, 3))), face.centre))
    True
    """
    x, y, z = points.T
    x, z = x * np.cos(face.yaw) + z * np.sin(face.yaw), z * np.cos(face.yaw) - x * np.sin(face.yaw)
    y = y * np.cos(face.pitch) + z * np.sin(face.pitch)
    return tilt(face, np.stack([x, y], axis=-1), face.roll)


def tilt(face: Face, points: np.ndarray, roll: float) -> np.ndarray:
    """Turn points (n, 2) clockwise by `roll`, then scale and shift them to unit coordinates.

    >>> from swapmark.faces.face_variety import random_face
    >>> face = random_face(np.random.default_rng(0))
    >>> bool(np.isclose(tilt(face, np.ones((1, 2)), 0.0)[0, 0] - face.centre[0], face.scale))
    True
    """
    cos, sin = np.cos(roll), np.sin(roll)
    return points @ np.array([[cos, sin], [-sin, cos]]) * face.scale + np.array(face.centre)
