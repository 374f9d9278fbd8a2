"""Options of the test run."""

import os
import zlib
from pathlib import Path

import pytest

import scar  # noqa: F401  its import hook has to run before timm's or Lightning's

BESIDE = Path(__file__).parents[2] / "shared" / "reference"


def pytest_addoption(parser):
    parser.addoption("--recorded", default=None, help="folder of the recorded measures of the published runs")
    parser.addoption("--third", type=int, default=None, help="run the tests of one third only: 0, 1 or 2")


def pytest_collection_modifyitems(config, items):
    third = config.getoption("--third")
    if third is None:
        return
    kept = [item for item in items if zlib.crc32(item.nodeid.encode()) % 3 == third % 3]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def recorded(request):
    """Folder of the recorded measures; the test is skipped where nobody names one."""
    given = request.config.getoption("--recorded") or os.environ.get("SCAR_RECORDED")
    folder = Path(given) if given else BESIDE
    if not (folder / "scar_indexes.csv").is_file():
        pytest.skip(f"no recorded measures in {folder}; name their folder by --recorded or SCAR_RECORDED")
    return folder
