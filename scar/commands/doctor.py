"""What is installed, cached and missing, for every dataset and encoder; nothing is fetched and no network is asked."""

from __future__ import annotations

import ast
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from hydra.errors import HydraException
from platformdirs import user_cache_path

from scar.common.console import console, escape
from scar.common.extras import EXTRAS, install, is_installed
from scar.common.provenance import versions
from scar.config.nodes import ConfigError, make_target
from scar.data.fetch import OFFLINE
from scar.data.paths import data_folder
from scar.store.code import sources
from scar.sweep.hydra_internals import packaged_configuration

_WIDTH = 160
_PROGRAMS = ("apt-get", "dpkg", "npm")
_COLOURS = {"cached": "green", "there": "green", "missing": "yellow", "broken": "red"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The state of one option of a group.

    Attributes:
        name: of the option, as in ``dataset=cifar10``.
        modality: what it holds or reads.
        state: ``"cached"`` (in the cache of the user or of the hub), ``"there"`` (elsewhere, or nothing is needed),
            ``"missing"``, or ``"broken"`` where the option cannot even be composed.
        place: folder where the files lie.
        count: number of files.
        mebibytes: their size.
        not_installed: libraries that its code imports and that are not there; some may not be needed.
        reason: why it is missing, and how to get it.
    """

    name: str
    modality: str = ""
    state: str
    place: str = ""
    count: int = 0
    mebibytes: float = 0.0
    not_installed: tuple[str, ...] = field(default=())
    reason: str = ""


def examine(data_dir: Path) -> dict[str, Any]:
    """Return everything that the doctor says, as plain values.

    Args:
        data_dir: where fetched data lie.
    """
    with _offline():
        return {
            "versions": versions(),
            "extras": {extra: _libraries(extra) for extra in sorted(set(EXTRAS.values()))},
            "programs": {name: shutil.which(name) for name in _PROGRAMS},
            "data_dir": str(data_dir),
            "in_data_dir": sorted(path.name for path in data_dir.glob("*")),
            "datasets": [asdict(each) for each in _findings("dataset", data_dir)],
            "encoders": [asdict(each) for each in _findings("encoder", data_dir)],
        }


@contextmanager
def _offline() -> Iterator[None]:
    """Let nothing ask the network; the environment is as before afterwards."""
    before = {name: os.environ.get(name) for name in (OFFLINE, "HF_HUB_OFFLINE")}
    flag, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True  # read from the environment when it was imported
    os.environ |= dict.fromkeys(before, "1")
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = flag
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def report(data_dir: str | None, *, as_json: bool) -> None:
    """Print what `examine` found."""
    found = examine(data_folder(data_dir))
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for package, number in found["versions"].items():
        console().print(f"  {package:<22}{escape(number)}")
    for extra, libraries in found["extras"].items():
        lacking = [module for module, there in libraries.items() if not there]
        state = f"[yellow]not installed: {', '.join(lacking)}[/]  {escape(install(lacking[0]))}" if lacking else ""
        console().print(f"  extra {extra:<16}{state or '[green]installed[/]'}")
    console().print(
        "  programs: " + ", ".join(f"{name} {path or 'missing'}" for name, path in found["programs"].items())
    )
    console().print(f"data cache {escape(found['data_dir'])}: {escape(', '.join(found['in_data_dir']) or 'empty')}")
    for group in ("datasets", "encoders"):
        console().print(f"[bold]{group}[/]")
        for each in found[group]:
            console().print(_line(each))
    console().print("scar-admin doctor --json gives every reason in full, with the way to get what is missing")


def _line(found: dict[str, Any]) -> str:
    colour = _COLOURS[found["state"]]
    text = f"  {found['name']:<22}{found['modality']:<12}[{colour}]{found['state']:<8}[/] "
    if found["not_installed"]:
        text += f"[yellow]not installed: {', '.join(found['not_installed'])}[/]  "
    if found["count"]:
        text += f"{found['count']} files, {found['mebibytes']:.1f} MiB in "
    reason = " ".join(found["reason"].split())
    return text + escape(found["place"] or (reason if len(reason) <= _WIDTH else f"{reason[:_WIDTH]} …"))


def _findings(group: str, data_dir: Path) -> Iterable[Finding]:
    beside = {"dataset": ["encoder=pixels"], "encoder": ["dataset=digits"]}[group]
    with packaged_configuration() as compose:
        for name in options(group):
            try:
                made = make_target(compose("config", [f"{group}={name}", *beside])[group], group)
            except (ConfigError, HydraException) as error:
                yield Finding(name=name, state="broken", reason=str(error).splitlines()[0])
                continue
            if group == "dataset":
                modality = "+".join(made.modalities)
                yield _look(name, modality, [made], lambda: made.located(data_dir), data_dir)  # noqa: B023
            else:
                towers = list(made.towers().values())
                yield _look(name, made.modality, towers, lambda: [p for t in towers for p in t.weights()], data_dir)  # noqa: B023


def options(group: str) -> list[str]:
    """Return the options of a group of the configuration, without those that only stand for another."""
    folder = Path(str(files("scar.conf") / group))
    return sorted(path.stem for path in folder.glob("*.yaml") if "_target_:" in path.read_text(encoding="utf-8"))


def _look(name: str, modality: str, made: Sequence[Any], find: Callable[[], list[Path]], data_dir: Path) -> Finding:
    modules = sources().closure(dict.fromkeys(map(type, made)))
    lacking = tuple(sorted({name for module in modules for name in _imports(module) if not is_installed(name)}))
    try:
        paths = list(dict.fromkeys(find()))
    except (OSError, ValueError, ImportError) as error:
        return Finding(name=name, modality=modality, state="missing", not_installed=lacking, reason=str(error))
    if not paths:
        return Finding(name=name, modality=modality, state="there", not_installed=lacking, place="needs no files")
    place = paths[0] if paths[0].is_dir() else paths[0].parent
    plain = [path for path in paths if path.is_file()]
    return Finding(
        name=name,
        modality=modality,
        state="cached" if any(place.is_relative_to(root) for root in _caches(data_dir)) else "there",
        place=str(place),
        count=len(plain),
        mebibytes=round(sum(path.stat().st_size for path in plain) / 2**20, 1),
        not_installed=lacking,
    )


def _caches(data_dir: Path) -> list[Path]:
    return [data_dir, Path(constants.HF_HUB_CACHE), user_cache_path("scar")]


@cache
def _imports(module: str) -> frozenset[str]:
    """Return the libraries of `EXTRAS` that a module imports anywhere but for its annotations."""
    spec = find_spec(module)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return frozenset()
    tree = ast.parse(Path(spec.origin).read_bytes())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return frozenset(each for each in EXTRAS if any(f"{name}.".startswith(f"{each}.") for name in found))


def _libraries(extra: str) -> dict[str, bool]:
    """Return the libraries of an extra, and whether each is installed."""
    return {module: is_installed(module) for module, listed in EXTRAS.items() if listed == extra}
