"""Turn evaluated runs into lines of JSON, for benchmarks/results/.

    python benchmarks/record.py COMMIT RUN [RUN …] >> benchmarks/results/laptop.jsonl

COMMIT is that of the code that trained them. Each RUN must have been evaluated
(`swapmark evaluate RUN ANNOTATED`). A line holds what is needed to run it again, what it cost, and
what it gave; nothing is computed here.
"""

import json
import sys
from pathlib import Path

import yaml

HEALTH = ("spread", "spread_min", "coverage", "nearest", "nearest_min", "following")


def record(run: Path, commit: str) -> dict:
    """One run folder as one flat-ish mapping."""
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    images = json.loads((run / "images.json").read_text(encoding="utf-8"))
    last = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    training = config["training"]
    scores = {}
    for path in sorted(run.glob("evaluation/*/metrics.json")):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        scores[path.parent.name] = {
            key: metrics[key]
            for key in metrics
            if key.endswith((".nme", ".nme_interval")) and metrics[key] is not None
        }
    return {
        "run": run.name,
        "commit": commit,
        "method": config["method"],
        "seed": training["seed"],
        "images": images["images"],
        "steps": last["step"],
        "images_seen": last["step"] * training["batch_size"],
        "seconds": last["seconds"],
        "threads": environment["torch_threads"],
        "devices": environment["devices"],
        "torch": environment["packages"]["torch"],
        **{name: last[name] for name in HEALTH if name in last},
        "scores": scores,
        "config": config,
    }


def main(arguments: list[str]) -> int:
    """Print a line for each run folder named after the commit."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    commit, *runs = arguments
    for run in runs:
        print(json.dumps(record(Path(run), commit)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
