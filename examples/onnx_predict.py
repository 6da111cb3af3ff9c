"""Landmarks of pictures from a file made by `swapmark export`, without swapmark and torch.

    pip install numpy onnxruntime pillow
    python onnx_predict.py model.onnx photo.jpg [MORE …]

Prints file, landmark, x, y (in pixels of the upright picture) and confidence as CSV. A picture that
cannot be read is named on standard error and left out.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

if len(sys.argv) < 3:
    sys.exit("usage: python onnx_predict.py model.onnx photo.jpg [MORE …]")
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
properties = session.get_modelmeta().custom_metadata_map
size = int(properties["image_size"])
mode = properties.get("resize") or properties["fit"]  # the name in files of version 0.1
print("file,landmark,x,y,confidence")
for name in sys.argv[2:]:
    try:
        image = ImageOps.exif_transpose(Image.open(name)).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        print(f"Left out: {name}: {error}", file=sys.stderr)
        continue
    white = Image.new("RGBA", image.size, "white")  # behind what is transparent
    image = Image.alpha_composite(white, image).convert("RGB")
    sides = np.array(image.size)
    whole = sides.max() if mode == "pad" else sides.min()
    resized = np.maximum(1, (2 * sides * size + whole) // (2 * whole))  # rounded half up
    offset = (size - resized) // 2  # of the picture in the square; negative where it is cropped
    corner, inside = np.maximum(0, -offset), np.minimum(size, resized)
    left, top = corner * sides / resized
    right, bottom = np.minimum(sides, (corner + inside) * sides / resized)
    box = (left, top, right, bottom)
    part = np.asarray(image.resize(tuple(inside), Image.Resampling.BICUBIC, box=box))
    square = np.empty((size, size, 3), np.uint8)
    square[:] = np.rint(part.mean(axis=(0, 1)))
    x, y = np.maximum(0, offset)
    square[y : y + inside[1], x : x + inside[0]] = part
    points, confidence = session.run(["points", "confidence"], {"images": square[None]})
    original = (points[0] - offset + 0.5) / resized * sides - 0.5
    names = json.loads(properties["landmarks"])
    for landmark, (x, y), sure in zip(names, original, confidence[0], strict=True):
        print(f"{name},{landmark},{x:.3f},{y:.3f},{sure:.3f}")
