"""What is not installed is named with the command that installs it."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

from scar.common.extras import EXTRAS, install, is_installed, told

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def distributions(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!\[; ]", each, maxsplit=1)[0].lower().replace("_", "-") for each in requirements}


def with_what_they_require(requirements: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = distributions(requirements)
    while waiting:
        name = waiting.pop()
        found.add(name)
        try:
            needed = [each for each in requires(name) or [] if "extra ==" not in each]
        except PackageNotFoundError:  # of another platform
            continue
        waiting |= distributions(needed) - found
    return found


@pytest.mark.parametrize("module", EXTRAS)
def test_a_library_of_the_table_comes_with_the_extra_that_the_table_names(module: str) -> None:
    listed = distributions(PROJECT["optional-dependencies"][EXTRAS[module]])
    if module in ("pillow_heif", "ray") and not is_installed(module):
        pytest.skip("of an extra that not all have")
    if module.startswith("hydra_plugins."):
        owners = {module.rpartition(".")[2].replace("_", "-")}
    else:
        owners = {each.lower().replace("_", "-") for each in packages_distributions()[module.partition(".")[0]]}
    assert owners & listed


def test_every_library_that_is_imported_is_required_or_in_the_table() -> None:
    owners = packages_distributions()
    required = with_what_they_require(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["launchers"])
    for path in (ROOT / "scar").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names or top == "scar" or top not in owners:  # or of a checkout
                    continue
                known = {each.lower().replace("_", "-") for each in owners[top]} & required
                assert known or any(f"{name}.".startswith(f"{each}.") for each in EXTRAS), f"{path}: {name}"


def test_the_command_is_said_once_and_only_for_what_an_extra_holds() -> None:
    missing = ModuleNotFoundError("No module named 'faiss'", name="faiss")
    assert told(missing) == "No module named 'faiss'; pip install 'scar-data[pairs]'"
    assert told(ModuleNotFoundError("No module named 'livekit'", name="livekit")).endswith("scar-data[packaged]'")
    assert told(ModuleNotFoundError("x", name="av.video")).endswith("scar-data[media]'")
    for other in (
        ModuleNotFoundError("No module named 'mine'", name="mine"),
        ModuleNotFoundError("x"),
        ValueError("y"),
    ):
        assert told(other) == str(other)
    wrapped = RuntimeError("no clusters")
    wrapped.__cause__ = missing
    assert told(wrapped) == "no clusters; pip install 'scar-data[pairs]'"
    said = ImportError(f"clusters need faiss: {install('faiss')}")
    said.__cause__ = missing
    assert told(said) == str(said)


def test_a_job_that_lacks_a_library_fails_with_the_command_that_installs_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['datasets'] = None\n")
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "train.jsonl").write_text('{"text": "a", "label": 0}\n')
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    arguments = ["dataset=hub", f"dataset.root={tmp_path / 'rows'}", "encoder=tfidf", "logger=csv", "report=false"]
    command = [sys.executable, "-m", "scar.commands.run", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'scar-data[hub]'" in done.stderr
    (status,) = tmp_path.rglob("status.json")
    assert json.loads(status.read_text())["error"].endswith("pip install 'scar-data[hub]'")
