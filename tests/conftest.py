"""What every test shares: shapes checked while the code runs, few threads, a cache of its own."""

import os
import sys
from pathlib import Path

from hypothesis import settings
from jaxtyping import install_import_hook

# The hook rewrites modules while they are imported: one imported earlier would go unchecked.
early = [name for name in sys.modules if name.partition(".")[0] == "swapmark"]
if early:
    raise RuntimeError(f"{early} were imported before tests/conftest.py could check their shapes.")
# An int may stand where a float is asked for, as everywhere in Python (PEP 484).
install_import_hook(
    "swapmark", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)
os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = "1"  # also in the commands that tests start; before torch is loaded

import pytest  # noqa: E402
import torch  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(1)  # one test process a core; and sums do not depend on the machine
settings.register_profile("swapmark", deadline=None, derandomize=True, database=None)
settings.load_profile("swapmark")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep decoded images away from the user's cache, also in the commands that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWAPMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images (faces-unlabelled.zip, lfw.zip …), or skip where there is none."""
    folder = Path(os.environ.get("SWAPMARK_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"needs real images: {folder} is absent; set SWAPMARK_DATA to their folder")
    return folder
