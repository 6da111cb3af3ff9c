"""`swapmark export`: a trained detector for others to use."""

from pathlib import Path
from typing import Literal


def export(
    run: Path,
    *,
    format: Literal["onnx", "hub"] = "onnx",
    out: Path | None = None,
    half: bool = False,
    push: str | None = None,
    license: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a trained detector as an ONNX file or a Hugging Face model.

    Parameters
    ----------
    run
        Run folder, or a model folder or the name of a model (see `predict`).
    format
        onnx: one file that predicts without torch. hub: a folder that is a repository of the
        Hugging Face hub.
    out
        The file or folder to write. Default: model.onnx or hub-model.
    half
        Store the weights in 16 bits: half the size, landmarks less than 0.1 px of 64 apart.
    push
        Send the folder to the hub as OWNER/NAME; log in first (`hf auth login`).
    license
        What the hub shall say of the terms, such as mit. Default: unknown.
    overwrite
        Replace what exists.
    """
    import shlex

    import swapmark
    from swapmark.errors import InputError

    if format == "hub":
        written = swapmark.export_hub(
            run,
            out or "hub-model",
            half=half,
            push=push,
            license=license,
            overwrite=overwrite,
        )
        print(f"{written.path}: model.safetensors {written.size / 2**20:.2f} MiB")
        if written.url:
            print(f"On the hub: {written.url}")
        command = shlex.join(["swapmark", "predict", push or str(written.path)])
        print(f"Next:\n  {command} IMAGES --out hub.csv")
        return
    for name, value in (("--push", push), ("--license", license)):
        if value is not None:
            raise InputError(f"{name} {value} is for the hub. Add --format hub, or leave it out.")
    made = swapmark.export_onnx(run, out or "model.onnx", half=half, overwrite=overwrite)
    print(f"{made.path}: {made.size / 2**20:.2f} MiB")
    print(
        f"Largest difference to torch: {made.difference:.2g} px (at most {made.bound:g} is allowed)"
    )
