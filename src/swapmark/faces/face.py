"""A drawn face: what is left to chance in it, and its shape.

A head is a stack of ellipses: at height y it reaches `width * profile(y)` to the sides and
`depth * profile(y)` to the front. Head coordinates are (x, y, z): x to the image's right, y down
(crown -1, chin 1), z towards the viewer. Eyes, nose, mouth and hair are curves on that surface, so
that a turn of the head moves the nose further than the eyes and narrows the far half of the face.
The view is orthographic and ends in unit coordinates (see `coordinates`).
"""

import colorsys

import numpy as np

Colour = tuple[int, int, int]
Lengths = float | np.ndarray

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


class Face:
    """Everything that tells one face from another; lengths are in half head heights.

    The ranges make the error of the mean shape about 20 % of the eye distance.
    """

    def __init__(self, random: np.random.Generator):
        def between(low: float, high: float) -> float:
            return float(random.uniform(low, high))

        def about(middle: float, deviation: float) -> float:
            return middle + deviation * float(np.clip(random.normal(), -2, 2))

        def tone(colours: tuple[Colour, ...]) -> Colour:
            first, second = random.integers(len(colours), size=2)
            return mix(colours[first], colours[second], between(0, 0.4))

        # The order of the draws is part of what a seed stands for.
        self.yaw = about(0, 0.27)  # radians; positive looks to the image's right
        self.pitch = about(0, 0.09)  # radians; positive looks down
        self.scale = about(0.76, 0.055)  # half the head's height in unit coordinates
        self.width = between(0.7, 0.84)  # half the head's, seen from the front
        self.depth = self.width * 1.05  # half the head's, seen from the side
        # As photos are cropped: what the turn does to the middle of the features, the crop half
        # undoes.
        centre = np.array([about(0, 0.045), about(0.06, 0.045)])
        centre = centre - 0.5 * self.width * self.scale * np.sin([self.yaw, self.pitch])
        self.centre = (float(centre[0]), float(centre[1]))  # of the head, in unit coordinates
        self.skin = tone(SKINS)
        self.hair_colour = vivid(random, 0.6) if random.random() < 0.12 else tone(HAIRS)
        self.roll = about(0, 0.14)  # tilt in radians; positive turns clockwise
        self.jaw = between(0.02, 0.34)  # how much narrower the chin is than an ellipse
        self.eye_x = between(0.31, 0.37)
        self.eye_y = between(-0.14, 0.0)
        self.eye_width = between(0.15, 0.19)
        self.eye_open = between(0.5, 0.9)  # height of the eye over its width
        self.brow_gap = between(0.07, 0.14)
        self.brow_tilt = about(0, 0.035)  # positive looks cross, negative worried
        self.brow_thickness = between(0.03, 0.09)
        self.nose_y = between(0.22, 0.34)
        self.nose_lift = between(0.12, 0.24)  # how far the tip stands out of the head
        self.nose_width = between(0.12, 0.18)
        self.mouth_y = between(0.54, 0.64)
        self.mouth_width = between(0.24, 0.36)
        self.smile = between(-0.06, 0.17)  # how far the corners stand above the middle
        self.mouth_open = between(0.08, 0.26) if random.random() < 0.45 else 0.0
        self.lips = between(0.03, 0.09)  # thickness
        self.hair = str(random.choice(["short", "long", "none"], p=[0.5, 0.42, 0.08]))
        self.hair_volume = between(0.05, 0.24)
        self.hair_length = between(0.9, 1.7)
        self.hairline = between(-0.66, -0.42)  # height over the forehead
        self.parting = about(0, 0.08)  # how much lower the hairline is on one side
        self.fringe = between(0, 0.05)  # how far its locks hang down
        self.glasses = bool(random.random() < 0.15)
        self.beard = bool(random.random() < 0.12)
        self.light = float(random.choice([-1.0, 1.0]))  # from the left or the right
        self.iris = tone(IRISES)
        self.mouth_colour = mix(self.skin, (200, 40, 60), between(0.35, 0.75))
        self.shirt = vivid(random, 0.7)

    @property
    def edge(self) -> float:
        """The angle at which the turned head meets the background on the image's right.

        On the image's left it is this angle less π.
        """
        return float(np.arctan2(self.width * np.cos(self.yaw), self.depth * np.sin(self.yaw)))

    def around(self, angle: Lengths, y: Lengths, swell: float = 1.0) -> np.ndarray:
        """Points (n, 3) on the head at an angle from straight ahead (radians) and a height.

        `swell` enlarges the head, for what grows around it.
        """
        reach = self._profile(y) * swell
        x, z = self.width * reach * np.sin(angle), self.depth * reach * np.cos(angle)
        return points_at(x, y * swell, z)

    def in_front(self, x: Lengths, y: Lengths, lift: float = 0.0) -> np.ndarray:
        """Points (n, 3) on the front of the head at (x, y), raised by `lift` to the viewer."""
        squared = self._profile(y) ** 2 - (x / self.width) ** 2
        return points_at(x, y, self.depth * np.sqrt(np.maximum(squared, 0)) + lift)

    def _profile(self, y: Lengths) -> Lengths:
        """How wide the head is at height y, over its widest; 0 at the crown and the chin."""
        return np.sqrt(np.maximum(1 - y**2, 0)) * (1 - self.jaw * np.maximum(y, 0) ** 2)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Turn (yaw), nod (pitch) and tilt (roll) points (n, 3), drop depth: (n, 2) in unit."""
        (x, y, z), yaw, pitch = points.T, self.yaw, self.pitch
        x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
        y = y * np.cos(pitch) + z * np.sin(pitch)
        return self.tilt(np.stack([x, y], axis=-1), self.roll)

    def tilt(self, points: np.ndarray, roll: float) -> np.ndarray:
        """Turn points (n, 2) clockwise by `roll`, then scale and shift them to unit."""
        cos, sin = np.cos(roll), np.sin(roll)
        return points @ np.array([[cos, sin], [-sin, cos]]) * self.scale + np.array(self.centre)


def mix(first: Colour, second: Colour, amount: float) -> Colour:
    """Blend two colours; `amount` 0 gives the first and 1 the second."""
    red, green, blue = (round(a + (b - a) * amount) for a, b in zip(first, second, strict=True))
    return red, green, blue


def vivid(random: np.random.Generator, strength: float) -> Colour:
    """A random colour, up to this saturation."""
    hue, saturation, value = random.uniform([0, 0.1, 0.35], [1, strength, 0.95])
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def points_at(x: Lengths, y: Lengths, z: Lengths) -> np.ndarray:
    """Broadcast three coordinates into (n, 3); quicker than np.stack for so few numbers."""
    points = np.empty((*np.broadcast(x, y, z).shape, 3))
    points[..., 0], points[..., 1], points[..., 2] = x, y, z
    return points
