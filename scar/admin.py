"""The command ``scar-admin``: what is installed and cached, fetching data, care of the store."""

from __future__ import annotations

import argparse
import sys

from scar.care import add_store_command
from scar.console import console, errors, escape


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    options = _parser().parse_args(arguments)
    try:
        sys.exit(options.run(options))
    except (OSError, ValueError, RuntimeError) as error:
        errors().print(f"[bold red]error[/] {escape(error)}")
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scar-admin", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="what is installed, cached and missing, per dataset and encoder")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    doctor.add_argument("--data-dir", default=None, help="instead of the cache of the user or SCAR_DATA")
    doctor.set_defaults(run=_doctor)
    fetch = commands.add_parser("fetch", help="fetch the data of datasets into the cache of the user")
    fetch.add_argument("datasets", nargs="+", metavar="DATASET")
    fetch.add_argument("--data-dir", default=None, help="instead of the cache of the user or SCAR_DATA")
    fetch.set_defaults(run=_fetch)
    add_store_command(commands)
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from scar.doctor import report

    report(options.data_dir, as_json=options.json)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from hydra import compose, initialize_config_module

    from scar.config import make_target
    from scar.data.paths import data_folder

    with initialize_config_module("scar.conf", version_base="1.3"):
        for name in options.datasets:
            source = make_target(compose("config", [f"dataset={name}"]).dataset, "dataset")
            files = source.files(data_folder(options.data_dir))
            size = sum(file.stat().st_size for file in files) / 2**20
            console().print(f"{name}: {len(files)} files, {size:.1f} MiB")
    return 0


if __name__ == "__main__":
    main()
