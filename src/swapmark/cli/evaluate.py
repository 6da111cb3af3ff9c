"""`swapmark evaluate`: how well a run's landmarks predict points that were marked by hand."""

from pathlib import Path


def evaluate(
    run: Path,
    annotated: Path,
    *,
    normaliser: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    bootstrap: int = 1000,
    draws: int = 10,
    seed: int = 0,
) -> None:
    """Measure learned landmarks against points marked by hand.

    A linear map from the landmarks to the marked points is fitted on the images whose split is
    fit and scored on those whose split is test; and the other way round.

    Parameters
    ----------
    run
        Run folder, or a model folder, an .onnx file, or the name of a model (see `predict`).
    annotated
        A zip or folder with images and landmarks.csv, or that csv file.
    normaliser
        What errors are measured in: two marked points as NAME1,NAME2, or box, or diagonal.
        Default: left_eye,right_eye if both are marked, else diagonal.
    out
        Where the numbers go. Default: RUN/evaluation/NAME/metrics.json, with the name of
        ANNOTATED; RUN-evaluation-NAME.json here, where RUN is no folder.
    overwrite
        Replace that file if it is there.
    bootstrap
        How many redrawn test sets the intervals come from.
    draws
        How many random choices of fit images each row of the few-shot curve averages.
    seed
        Seed of both.
    """
    from rich.console import Console

    import swapmark
    from swapmark.specimens.evaluate_run import metrics_path

    evaluation = swapmark.evaluate(
        run,
        annotated,
        normaliser=normaliser,
        out=out,
        overwrite=overwrite,
        bootstrap=bootstrap,
        draws=draws,
        seed=seed,
    )
    console = Console()
    console.print(evaluation.table())
    console.print(f"Written to {out or metrics_path(run, annotated)}", soft_wrap=True, markup=False)
