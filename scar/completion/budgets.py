"""How much a strategy may spend, on what, and at what price."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.types import Floats, Ints
from scar.completion.problem import UNITS
from scar.sampling.pool_mix import MIXES

LARGEST_SHARE = 0.5
"""Of the smallest pool, where pools are compared."""
NAMED = 8
"""Classes that an error lists."""


@dataclass(frozen=True, kw_only=True)
class BudgetsConfig:
    """How much each strategy may add.

    Attributes:
        fractions: budgets as shares of the reserve: of its samples, or of what it costs. With `of` they are shares of
            the smallest of the pools that are compared, and at most a half.
        of: mixes of the pools that are compared (`scar.sampling.pool_mix.MIXES`); those that the regime refuses do not
            count. Empty: the own reserve, the protocol of the paper, where there is one pool. A comparison over
            pools needs equal budgets: 5 % of a large pool and of a small one are different plans, and a share of the
            smallest is one that each can pay. A job works it out for itself, since every pool is a function of the
            same labels, regime and seed. Beyond half of a pool any two plans share most samples and nothing can be
            told apart.
        driver: estimator whose needs the plan answers; one of ``foundation.estimators``.
        unit: what a budget counts: ``"samples"`` or ``"money"``.
        cost: of one sample of a class that `costs` does not name.
        costs: of one sample, by the name of the class.
        costs_file: CSV with a column ``class`` and any of ``cost``, ``minimum`` and ``maximum``: for many classes, or names
            that a command line cannot hold; its values are taken over, and those given by name go before.
        modality_costs: what each modality of a sample costs on top, by its name: a pair needs all of them.
        minimum: least samples to add, by the name of the class.
        maximum: most samples to add, by the name of the class.
        what_if: further budgets, as shares of the reserve (and of the present set where data are still to be
            collected), for which an accuracy is forecast.
        collect: what the shopping list may cost, in `unit`; None: what the needs ask for.
    """

    fractions: tuple[float, ...] = (0.05, 0.10, 0.25)
    of: tuple[str, ...] = ()
    driver: str = "heldout"
    unit: str = "samples"
    cost: float = 1.0
    costs: dict[str, float] = field(default_factory=dict)
    costs_file: str | None = None
    modality_costs: dict[str, float] = field(default_factory=dict)
    minimum: dict[str, int] = field(default_factory=dict)
    maximum: dict[str, int] = field(default_factory=dict)
    what_if: tuple[float, ...] = (0.02, 0.05, 0.10, 0.20, 0.35, 0.5, 0.75, 1.0)
    collect: float | None = None

    def __post_init__(self) -> None:
        if self.costs_file is not None:
            for name, listed in read_by_class(Path(self.costs_file)).items():
                object.__setattr__(self, name, listed | getattr(self, name))
            object.__setattr__(self, "costs_file", None)
        object.__setattr__(self, "of", tuple(self.of))
        for name in ("fractions", "what_if"):
            values = tuple(sorted(getattr(self, name)))
            object.__setattr__(self, name, values)
            if len({f"{fraction:g}" for fraction in values}) < len(values):
                raise ValueError(f"budgets.{name}={list(values)} must differ in their first six digits")
            if (not values and name == "fractions") or any(not 0 < f <= 1 for f in values):
                raise ValueError(f"budgets.{name}={list(values)} must be shares of the reserve in (0, 1]")
        for mix in self.of:
            if mix not in MIXES:
                raise ValueError(f"budgets.of: {mix!r} is no mix of a pool; use some of {', '.join(MIXES)}")
        if self.of and self.fractions[-1] > LARGEST_SHARE:
            raise ValueError(
                f"budgets.fractions: {self.fractions[-1]:g} of the smallest pool of budgets.of={list(self.of)} is more than "
                "half of that pool, where plans cannot differ much; leave it out"
            )
        if self.unit not in UNITS:
            raise ValueError(f"budgets.unit={self.unit!r} is unknown; use one of {', '.join(UNITS)}")
        if not 0 < self.cost < math.inf:
            raise ValueError(f"budgets.cost={self.cost} must be positive")
        _refuse("costs", self.costs, lambda value: 0 < value < math.inf, "must be positive")
        _refuse("modality_costs", self.modality_costs, lambda value: 0 <= value < math.inf, "must be at least 0")
        for name in ("minimum", "maximum"):
            _refuse(name, getattr(self, name), lambda value: value >= 0, "must be at least 0")
        if self.collect is not None and not 0 < self.collect < math.inf:
            raise ValueError(
                f"budgets.collect={self.collect} must be positive and finite, or null for what the needs ask for"
            )

    @property
    def planned(self) -> dict[str, Any]:
        """What decides a plan; the rest decides what is forecast."""
        return {name: value for name, value in vars(self).items() if name not in ("what_if", "collect")}

    def class_costs(self, names: Sequence[str], modalities: Iterable[str]) -> Floats:
        """Return [K] what one sample of each class costs in all its modalities.

        Raises:
            ValueError: a name that is no class, or no modality of the dataset.
        """
        known = tuple(modalities)
        _known("modality_costs", self.modality_costs, known, "modality")
        shared = sum(self.modality_costs.values())
        return by_class("costs", self.costs, names, self.cost) + shared

    def class_limits(self, names: Sequence[str]) -> tuple[Ints | None, Ints | None]:
        """Return [K] least and most samples to add, each None where no class is named.

        Raises:
            ValueError: a name that is no class.
        """
        most = np.iinfo(np.int64).max
        least = by_class("minimum", self.minimum, names, 0).astype(np.int64) if self.minimum else None
        if not self.maximum:
            return least, None
        caps = np.full(len(names), most)
        _known("maximum", self.maximum, names, "class")
        for name, value in self.maximum.items():
            caps[list(names).index(name)] = value
        return least, caps


def read_by_class(path: Path) -> dict[str, dict[str, Any]]:
    """Read costs, least and most samples by class from a CSV file; empty cells say nothing.

    Raises:
        ValueError: the file is missing or has other columns or cells; the message names the line.
    """
    kinds = {"cost": ("costs", float), "minimum": ("minimum", int), "maximum": ("maximum", int)}
    found: dict[str, dict[str, Any]] = {field_name: {} for field_name, _ in kinds.values()}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if "class" not in columns or set(columns) - {"class", *kinds} or len(columns) < 2:
                raise ValueError(
                    f"budgets.costs_file={path} has the columns {list(columns)}: class and some of {', '.join(kinds)} are needed"
                )
            for row in reader:
                for column, (field_name, kind) in kinds.items():
                    if cell := (row.get(column) or "").strip():
                        found[field_name][row["class"]] = _number(
                            cell, kind, f"{path}, line {reader.line_num}: {column}"
                        )
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"budgets.costs_file={path} cannot be read: {error}") from error
    return found


def _number(cell: str, kind: type, where: str) -> Any:
    try:
        return kind(cell)
    except ValueError as error:
        raise ValueError(
            f"budgets.costs_file={where}={cell!r} is no {'number' if kind is float else 'whole number'}"
        ) from error


def by_class(field_name: str, values: Mapping[str, float], names: Sequence[str], default: float) -> Floats:
    """Return [K] the value of each class.

    Raises:
        ValueError: a name that is no class.
    """
    _known(field_name, values, names, "class")
    return np.array([float(values.get(name, default)) for name in names])


def _known(field_name: str, values: Mapping[str, float], names: Sequence[str], what: str) -> None:
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names[:NAMED])}{more}"
            raise ValueError(f"budgets.{field_name}: {name!r} is no {what} of the dataset{hint}")


def _refuse(field_name: str, values: Mapping[str, float], allowed: Any, why: str) -> None:
    for name, value in values.items():
        if not allowed(value):
            raise ValueError(f"budgets.{field_name}.{name}={value} {why}")
