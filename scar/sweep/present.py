"""Studies that take in datasets where their files are: ``${with_present:fashion_mnist,cifar10}`` in a sweep."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from scar.common.console import console
from scar.config.build import build
from scar.data.fetch import OFFLINE, FetchError
from scar.data.paths import data_folder
from scar.sweep.hydra_internals import packaged_configuration


@cache
def is_present(dataset: str, data_dir: Path) -> bool:
    """Tell whether the files of a dataset are in the data folder; nothing is fetched, and what is not there is said."""
    before = os.environ.get(OFFLINE)
    os.environ[OFFLINE] = "1"
    try:
        with packaged_configuration() as compose:
            build(compose("config", [f"dataset={dataset}"])).dataset.files(data_dir)
    except FetchError:
        console().print(f"{dataset} is left out: it is not in {data_dir}", markup=False, soft_wrap=True)
        return False
    finally:
        if before is None:
            del os.environ[OFFLINE]
        else:
            os.environ[OFFLINE] = before
    return True


def with_present(first: str, *others: str, _root_: DictConfig) -> str:
    """Return the first dataset, and those of the others whose files are in the data folder, as the values of a sweep."""
    folder = data_folder(_root_.paths.data_dir)
    return ",".join([first, *(each for each in others if is_present(each, folder))])


def register_with_present() -> None:
    """Make ``${with_present:…}`` known to configurations."""
    OmegaConf.register_new_resolver("with_present", with_present, replace=True)
