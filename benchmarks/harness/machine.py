"""What a measured number depends on besides the settings, and the file that it is kept in."""

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def circumstances() -> dict:
    """Code, command, processor, and how busy that is (processes that want to run)."""
    cpus, note = Path("/proc/cpuinfo"), ROOT / "COMMIT"  # the note is of gpu_pack.py
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    carried = note.read_text(encoding="utf-8").strip() if note.exists() else None
    code = ("src", "benchmarks", ":!benchmarks/results")
    changed = bool(_git("status", "--porcelain", "--", *code))
    return {
        "command": shlex.join(["python", *sys.argv]),
        "commit": carried or _git("rev-parse", "--short", "HEAD"),
        "dirty": "with changes" in carried if carried else changed,
        "processor": f"{(names or [platform.machine()])[0]} ({os.cpu_count()} CPUs)",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def append_line(path: Path, record: dict) -> None:
    """Add one line of JSON, on disk when this returns; after one that was cut short, a new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_short = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut_short + json.dumps(record, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
