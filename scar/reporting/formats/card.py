"""The card of a dataset as an encoder sees it: the facts once, as Markdown and, by `scar.reporting.formats.croissant`, JSON-LD."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from scar import __version__
from scar.reporting.comparison import Comparison
from scar.reporting.formats.page import commands
from scar.reporting.formats.table import escape_markdown
from scar.reporting.settings import CardConfig
from scar.reporting.study_folder import Study
from scar.reporting.study_job import StudyJob
from scar.reporting.summary import Answers, answer
from scar.reporting.tables.card_tables import CLASS_MEASURES, LABEL_COLUMNS, card_tables
from scar.reporting.tables.caveats import Caveat, by_what_to_do, collect_caveats
from scar.reporting.tables.estimators_table import leading_estimator
from scar.reporting.tables.flags import NOTHING
from scar.reporting.tables.indicators_table import cell, header
from scar.reporting.tables.labels_table import COUNTING_NOTE, SEVERAL_NOTE
from scar.reporting.tables.leaderboard import Board, best_first
from scar.reporting.tables.plan_table import need_text
from scar.reporting.text import count, decimal, group_label, name_of, percent, size, size_interval

SETTINGS = ("labels", "split", "subsets", "probe", "foundation", "completion", "selection", "budgets", "pool")
"""Parts of the configuration that are named under "How it was made"."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Card:
    """The facts about one group of a study.

    Attributes:
        title: dataset, encoder, regime and further axes.
        group: values of the axes.
        seed: whose plan and class table are shown; the rest is a mean over `seeds`.
        tables: ``sizes``, ``measures``, ``indicators``, ``foundation`` and ``classes``, numbers at full precision; ``labels``
            where samples may carry several.
        plans: plan files of that seed.
        commands: that repeat the jobs of the study.
        settings: options of the configuration, by group.
        versions: of the packages that decide results.
        date: when the last job started; None if no job says.
    """

    title: str
    group: dict[str, Any]
    about: CardConfig
    seed: int
    seeds: tuple[int, ...]
    driver: str
    answers: Answers
    tables: dict[str, pd.DataFrame]
    caveats: tuple[Caveat, ...]
    plans: tuple[Path, ...]
    commands: tuple[str, ...]
    settings: dict[str, str]
    versions: dict[str, str]
    date: str | None


def make_cards(
    study: Study,
    comparison: Comparison,
    about: CardConfig | None = None,
    *,
    answers: Sequence[Answers] = (),
    boards: Sequence[Board] = (),
    known: Sequence[Caveat] | None = None,
    most: int | None = None,
) -> dict[str, Card]:
    """Return the cards of a study: file stem suffix (empty for a single group) → card.

    Args:
        study: of `load_study`.
        comparison: of its arms.
        about: what its owner knows.
        answers: about the first groups; those about the others are computed.
        boards: of the encoders that the study compares.
        known: its caveats; they are collected if None.
        most: groups that get one, the first by `best_first`; all if None.
    """
    every = best_first(study.groups(), boards)
    groups = every[:most]
    found = [*answers[: len(groups)], *(answer(study, comparison, group, boards) for group in groups[len(answers) :])]
    caveats: dict[str, list[Caveat]] = {}
    for caveat in collect_caveats(study) if known is None else known:
        caveats.setdefault(caveat.where, []).append(caveat)
    return {
        "" if len(every) == 1 else f"_{_slug(group)}": make_card(
            study, group, answers=own, caveats=caveats.get(group_label(group), ()), about=about
        )
        for group, own in zip(groups, found, strict=True)
    }


def make_card(
    study: Study,
    group: Mapping[str, Any],
    *,
    answers: Answers,
    caveats: Sequence[Caveat] = (),
    about: CardConfig | None = None,
) -> Card:
    """Gather the facts about one group.

    Args:
        study: of `load_study`.
        group: values of the axes.
        answers: about the group.
        caveats: about the group.
        about: what its owner knows.
    """
    rows = study.of(group)
    seeds = tuple(sorted(int(seed) for seed in rows.seed.unique()))
    jobs = study.finished(group)
    config = jobs[0].config if jobs else {}
    return Card(
        title=group_label(group),
        group=dict(group),
        about=about or CardConfig(),
        seed=seeds[0],
        seeds=seeds,
        driver=study.driver,
        answers=answers,
        tables=card_tables(study, group, seed=seeds[0]),
        caveats=tuple(caveats),
        plans=tuple(path for job in jobs if job.columns["seed"] == seeds[0] for path in job.plans),
        commands=study.once("commands", lambda: tuple(commands(study))),
        settings={name: str(config[name]["name"]) for name in SETTINGS if "name" in (config.get(name) or {})},
        versions=_versions(jobs),
        date=_date(jobs),
    )


def render_card(card: Card) -> str:
    """Return a card as Markdown."""
    shown = {name: _cells(name, frame) for name, frame in card.tables.items()}
    sizes = card.tables["foundation"]
    first = sizes.estimator == leading_estimator(sizes.estimator.tolist(), card.driver)
    shown |= {"foundation": _cells("foundation", sizes[first]), "other_estimators": _cells("foundation", sizes[~first])}
    caveats = by_what_to_do(card.caveats)
    about = {"details": caveats.pop(NOTHING, []), "caveats": caveats, "version": __version__, "name_of": name_of}
    about |= {"several_note": SEVERAL_NOTE, "counting_note": COUNTING_NOTE}
    return _template().render(card=card, tables=shown, **about)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda text: escape_markdown(text, cell=False),
    )
    environment.filters["markdown"] = _markdown
    text = (files("scar.reporting.formats") / "card_template.md").read_text(encoding="utf-8")
    return environment.from_string(text)


def _slug(group: Mapping[str, Any]) -> str:
    return re.sub(r"[^a-z0-9]+", "_", "_".join(str(value) for value in group.values()).lower()).strip("_")


def _versions(jobs: Sequence[StudyJob]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for job in jobs:
        for package, version in dict(job.status.get("versions", {})).items():
            found.setdefault(package, set()).add(str(version))
        for name, state in dict(job.status.get("git", {})).items():
            if "commit" in state:
                found.setdefault(f"commit of {name.replace('_', ' ')}", set()).add(str(state["commit"]))
    return {package: ", ".join(sorted(versions)) for package, versions in sorted(found.items())}


def _date(jobs: Sequence[StudyJob]) -> str | None:
    started = [float(job.status["started"]) for job in jobs if "started" in job.status]
    return datetime.fromtimestamp(max(started), UTC).date().isoformat() if started else None


def _cells(name: str, frame: pd.DataFrame) -> list[list[str]]:
    """The rows of a table as people read them."""
    return [_row(name, row) for row in frame.to_dict("records")]


def _row(name: str, row: Mapping[Any, Any]) -> list[str]:
    if name == "sizes":
        return [name_of(row["part"]), count(row["samples"])]
    if name == "measures":
        span = f"{decimal(row['low'])} to {decimal(row['high'])}" if row["high"] > row["low"] else ""
        return [name_of(row["estimator"]), row["measure"], decimal(row["value"]), span]
    if name == "indicators":
        return [name_of(row["set"]), header(row["indicator"]), cell(row["indicator"], row["value"])]
    if name == "foundation":
        ends = size_interval(row["low"], row["high"])
        return [name_of(row["set"]), name_of(row["estimator"]), size(row["samples"]), ends]
    if name == "labels":
        scores = [percent(row[metric]) if row[metric] == row[metric] else "undefined" for metric in LABEL_COLUMNS]
        return [row["label"], *scores, count(row["brings"])]
    values = [decimal(row[measure]) if row[measure] == row[measure] else "undefined" for measure in CLASS_MEASURES]
    return [row["class"], count(row["primary"]), count(row["reserve"]), *values, need_text(row), count(row["added"])]


def _markdown(rows: Sequence[Sequence[str]], *heads: str) -> str:
    """Return a Markdown table of rows under given headers."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(escape_markdown(text) for text in line) + " |" for line in lines)
