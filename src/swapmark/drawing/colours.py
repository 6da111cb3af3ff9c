"""Colours for landmarks that can be told apart, by the colour-blind too, however many there are."""

from functools import lru_cache

import numpy as np

OKABE_ITO = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
"""The first colours: Okabe and Ito's palette for the colour-blind, without its black."""

# What the colour-blind see, in linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
VISIONS = np.array([
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
])  # fmt: skip
"""(3, 3, 3): the matrices of normal, red-blind and green-blind vision."""

# Linear RGB to Oklab: Ottosson 2020, "A perceptual color space for image processing".
RGB_TO_CONES = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
CONES_TO_OKLAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip


def seen_colours(colours: np.ndarray) -> np.ndarray:
    """Oklab coordinates (3, n, 3) of sRGB colours (n, 3) in 0…255, as the three VISIONS see them.

    >>> red = seen_colours(np.array([[255, 0, 0]]))
    >>> red[0, 0].round(2).tolist()
    [0.63, 0.22, 0.13]
    """
    srgb = np.asarray(colours) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.einsum("vij,nj->vni", VISIONS, linear), 0, 1)
    return np.cbrt(seen @ RGB_TO_CONES.T) @ CONES_TO_OKLAB.T


@lru_cache
def landmark_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """`count` sRGB colours, the same for a landmark however many there are.

    After Okabe and Ito's seven, each next colour is the one whose nearest neighbour among those
    before it is farthest, to the eye that tells them apart worst (normal, red- or green-blind).

    >>> landmark_colours(2)
    ((230, 159, 0), (86, 180, 233))
    >>> landmark_colours(30)[:10] == landmark_colours(10)
    True
    """
    levels = np.linspace(0, 255, 12).round().astype(int)
    candidates = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    seen = seen_colours(candidates)
    lightness = seen[0, :, 0]
    bright = (lightness > 0.5) & (lightness < 0.97)  # unlike the dark outline, and unlike white
    candidates, seen = candidates[bright], seen[:, bright]
    chosen = list(OKABE_ITO[:count])
    nearest = np.full(len(candidates), np.inf)
    for index in range(count - 1):
        colour = seen_colours(np.array([chosen[index]]))
        nearest = np.minimum(nearest, np.linalg.norm(seen - colour, axis=-1).min(axis=0))
        if index + 1 == len(chosen):
            red, green, blue = candidates[nearest.argmax()].tolist()
            chosen.append((red, green, blue))
    return tuple(chosen)
