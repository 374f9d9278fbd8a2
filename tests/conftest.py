"""Options of the test run."""

import os
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import settings

import scar  # noqa: F401  its import hook has to run before timm's or Lightning's
from scar.common.console import set_output

settings.register_profile("scar", deadline=None)
settings.load_profile("scar")
# A busy machine is no failure.


@pytest.fixture(autouse=True)
def _text_for_people():
    """A test that chooses another output leaves none of it to the next one of its process."""
    yield
    set_output("rich")


@pytest.fixture(autouse=True)
def _rough_maps(request, monkeypatch):
    """Tests of other things than the map lay it out roughly."""
    if "map" not in request.node.nodeid and "layout" not in request.node.nodeid:
        monkeypatch.setattr("scar.sampling.layout.EARLY", 5)
        monkeypatch.setattr("scar.sampling.layout.LATE", 5)


@pytest.fixture(scope="session")
def path_of_commands(tmp_path_factory):
    """A folder with the commands of this checkout and the interpreter of the tests, for PATH."""
    folder = tmp_path_factory.mktemp("bin")
    programs = {"scar": "-m scar.commands.run", "scar-report": "-m scar.commands.report"}
    for name, module in {**programs, "scar-admin": "-m scar.commands.admin", "python": ""}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


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
    if not given:
        pytest.skip(
            "the recorded measures are not part of the project; name their folder by --recorded or SCAR_RECORDED"
        )
    if not (Path(given) / "scar_indexes.csv").is_file():
        pytest.fail(f"no recorded measures in {given}: it holds no scar_indexes.csv")
    return Path(given)
