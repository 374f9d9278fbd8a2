"""The command ``scar-admin``: what is installed and cached, fetching data and weights, one's data and their cost before a run, care of the store."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any

from hydra.errors import HydraException

from scar import __version__
from scar.commands.check import TRIED, check
from scar.commands.cost import cost
from scar.commands.doctor import options as options_of
from scar.commands.doctor import report
from scar.commands.store_admin import add_store_command
from scar.common.console import console, errors, escape
from scar.common.extras import told
from scar.config.nodes import make_target
from scar.data.paths import data_folder
from scar.sweep.hydra_internals import Compose, packaged_configuration


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    options = _parser().parse_args(arguments)
    try:
        sys.exit(options.run(options))
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        errors().print(f"[bold red]error[/] {escape(told(error))}")
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scar-admin", description=__doc__)
    parser.add_argument("--version", action="version", version=f"scar {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="what is installed, cached and missing, per dataset and encoder")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    doctor.add_argument("--data-dir", default=None, help="instead of the cache of the user or SCAR_DATA")
    doctor.set_defaults(run=_doctor)
    fetch = commands.add_parser("fetch", help="fetch datasets and the weights of encoders into the caches of the user")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="as in dataset=NAME or encoder=NAME")
    fetch.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="overrides for every NAME, e.g. dataset.vendor=both or encoder.model=facebook/dinov2-small",
    )
    fetch.add_argument("--data-dir", default=None, help="of datasets, instead of the cache of the user or SCAR_DATA")
    fetch.set_defaults(run=_fetch)
    checked = commands.add_parser("check", help="what data of one's own are: loads them in seconds and trains nothing")
    checked.add_argument("overrides", nargs="+", metavar="KEY=VALUE", help="as those of scar, e.g. dataset=table")
    checked.add_argument("--json", action="store_true", help="as JSON; the exit code is 1 where a run would fail")
    checked.add_argument("--every", action="store_true", help=f"read every sample, instead of {TRIED} drawn at random")
    checked.add_argument("--data-dir", default=None, help="instead of the cache of the user or SCAR_DATA")
    checked.add_argument(
        "--store", default="outputs/store", help="whose earlier embeddings show the cost of the encoder"
    )
    checked.set_defaults(run=_check)
    costs = commands.add_parser(
        "cost", help="time, disk and memory that a run will take, from unit costs measured here"
    )
    costs.add_argument("overrides", nargs="+", metavar="KEY=VALUE", help="as those of scar, e.g. dataset=cifar10")
    costs.add_argument("--samples", type=int, default=None, help="as if there were so many of the same kind")
    costs.add_argument("--json", action="store_true", help="as JSON; the exit code is 1 where nothing can be said")
    costs.add_argument("--data-dir", default=None, help="instead of the cache of the user or SCAR_DATA")
    costs.set_defaults(run=_cost)
    add_store_command(commands)
    return parser


def _doctor(options: argparse.Namespace) -> int:
    report(options.data_dir, as_json=options.json)
    return 0


def _check(options: argparse.Namespace) -> int:
    return check(
        options.overrides, data_dir=options.data_dir, store=options.store, every=options.every, as_json=options.json
    )


def _cost(options: argparse.Namespace) -> int:
    return cost(options.overrides, data_dir=options.data_dir, samples=options.samples, as_json=options.json)


def _fetch(options: argparse.Namespace) -> int:
    groups = [(name, _group(name)) for name in options.names]  # a misspelt name stops it before the first download
    with packaged_configuration() as compose:
        for name, group in groups:
            made = _made(compose, group, name, options.set)
            files = made.files(data_folder(options.data_dir)) if group == "dataset" else _weights(made)
            size = sum(file.stat().st_size for file in files if file.is_file()) / 2**20
            console().print(f"{group}={name}: {len(files)} files, {size:.1f} MiB")
    return 0


def _group(name: str) -> str:
    """Return the group that has an option of this name."""
    names = {group: options_of(group) for group in ("dataset", "encoder")}
    for group, known in names.items():
        if name in known:
            return group
    near = difflib.get_close_matches(name, [*names["dataset"], *names["encoder"]], 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "scar-admin doctor lists them all"
    raise ValueError(f"{name!r} is neither a dataset nor an encoder; {hint}")


def _made(compose: Compose, group: str, name: str, overrides: list[str]) -> Any:
    beside = {"dataset": "encoder=pixels", "encoder": "dataset=digits"}[group]
    try:
        composed = compose("config", [beside, f"{group}={name}", *overrides])
    except HydraException as error:
        raise ValueError(f"{group}={name}: {error}") from error
    return make_target(composed[group], group)


def _weights(encoder: Any) -> list[Path]:
    """Return the files of all towers, each once."""
    return list(dict.fromkeys(path for tower in encoder.towers().values() for path in tower.weights()))


if __name__ == "__main__":
    main()
