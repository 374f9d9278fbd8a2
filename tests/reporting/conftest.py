"""Studies to report on."""

import pytest
from synthetic import write_study

from scar.reporting.study_folder import load_study


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("outputs") / "quick")


@pytest.fixture(scope="session")
def study(study_folder):
    return load_study(study_folder)
