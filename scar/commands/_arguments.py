"""What Hydra's own reading of a command line leaves to be wished for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

import yaml

from scar.common.console import refuse

OPEN = (
    "where", "deployment", "budgets.costs", "budgets.modality_costs", "budgets.minimum", "budgets.maximum",
)  # fmt: skip
"""Mappings whose keys are the user's: names of classes, modalities and axes."""
CONFIG, SWEEP = ("--cfg", "-c"), ("--multirun", "-m")


def prepared(arguments: Sequence[str]) -> list[str]:
    """Return the arguments as Hydra has to see them; ends a command that asks for the version or cannot be meant.

    Keys of `OPEN` need no ``+``, whether the configuration has them already or not, and options such as ``-m`` may stand
    anywhere.
    """
    if "--version" in arguments:
        from scar import __version__

        print(f"scar {__version__}")
        raise SystemExit(0)
    shown = any(each in CONFIG or each.startswith("--cfg=") for each in arguments)
    if shown and any(each in SWEEP for each in arguments):
        refuse(
            "--cfg shows one job, --multirun runs several: leave -m out, and give one value for each key, "
            "e.g. scar seed=0 completion=random --cfg job"
        )
    refuse_empty_groups(arguments)
    return [f"++{each}" if _is_open(each) else each for each in _together(arguments)]


def _together(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with all that set something first, where options lie between them: argparse refuses that."""
    sets = [bool(re.match(r"[+~]*\w[\w.@:/-]*=|~", each)) for each in arguments]
    if sum(sets) == 0 or all(sets[sets.index(True) :][: sum(sets)]):
        return list(arguments)
    return sorted(arguments, key=lambda each: not sets[arguments.index(each)])


def _is_open(argument: str) -> bool:
    """Tell whether an argument sets a key of an open mapping, or all of one."""
    key, equals, value = argument.partition("=")
    return bool(equals) and any(key.startswith(f"{each}.") or (key == each and value.startswith("{")) for each in OPEN)


def refuse_empty_groups(arguments: Sequence[str]) -> None:
    """End a command that sets a group to null, which Hydra answers with a traceback; exit code 2.

    Groups that are empty by default may be set so.
    """
    empty = [each for each in arguments if re.search(r"=(.*[,(\s])?null([,)\s]|$)", each)]
    if not empty:
        return
    conf = files("scar.conf")
    groups = {each.name for each in conf.iterdir() if each.is_dir()} - _empty_by_default()
    for each in empty:
        group = each.lstrip("+").partition("=")[0].partition("@")[0]
        if group in groups:
            options = sorted(
                option.name.removesuffix(".yaml")
                for option in (conf / group).iterdir()
                if option.name.endswith(".yaml")
            )
            refuse(f"{each}: a group has to be one of its options, {', '.join(options)}; leave it out for the default")


def _empty_by_default() -> set[str]:
    """Return the groups that the defaults list of ``config.yaml`` leaves empty."""
    text = (files("scar.conf") / "config.yaml").read_text(encoding="utf-8")
    defaults = [each for each in yaml.safe_load(text)["defaults"] if isinstance(each, dict)]
    return {group for each in defaults for group, option in each.items() if option is None}
