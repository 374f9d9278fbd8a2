"""What is installed: every package, every configuration, and a wheel that runs elsewhere."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_is_listed_for_installation():
    found = {p.parent.relative_to(ROOT).as_posix().replace("/", ".") for p in (ROOT / "scar").rglob("__init__.py")}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found | {"scar.conf"}


def test_every_dependency_has_a_tested_version():
    pinned = {
        line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *(name for extra in extras.values() for name in extra)]
    names = {name.split(">")[0].split("<")[0].split("[")[0].strip().lower().replace("_", "-") for name in wanted}
    assert names - {"scar-data"} <= pinned


@pytest.mark.parametrize(
    ("target", "extras"),
    [("run", [".[quickstart]"]), ("data", [".[quickstart]"]), ("test", [".[quickstart]", ".[all,dev]"])],
)
def test_a_target_installs_what_it_needs(target, extras, tmp_path):
    command = ["make", "--dry-run", target, f"VENV={tmp_path / 'none'}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r'-e "(.*?)"', said) == extras


@pytest.mark.slow
def test_a_wheel_runs_the_smoke_study_from_an_unrelated_directory(tmp_path):
    """The wheel is installed without its dependencies into an empty environment that borrows those of this one."""
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=600)
    (wheel,) = (tmp_path / "dist").glob("scar_data-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    configs = {f"scar/conf/{p.relative_to(ROOT / 'conf').as_posix()}" for p in (ROOT / "conf").rglob("*.yaml")}
    assert configs <= names
    assert not [name for name in names if name.startswith(("tests/", "experiments/"))]
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True, timeout=300)
    python = tmp_path / "env" / "bin" / "python"
    site = Path(next(iter((tmp_path / "env" / "lib").glob("python3*")))) / "site-packages"
    borrowed = [p for p in map(Path, sys.path) if p.name == "site-packages"]
    (site / "borrowed.pth").write_text("\n".join(map(str, borrowed)))
    install = [str(python), "-m", "pip", "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [str(tmp_path / "env" / "bin" / "scar"), "experiment=smoke", "logger=csv"]
    result = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (elsewhere / "outputs" / "smoke" / "report.html").is_file()
    located = subprocess.run(
        [str(python), "-c", "import scar; print(scar.__file__)"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path / "env") in located.stdout
