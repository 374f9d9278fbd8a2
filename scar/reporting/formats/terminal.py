"""The report for a terminal of 80 columns or more: short tables, plain where it is not a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from scar.common.console import visible
from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import select
from scar.reporting.comparison import PLAIN, first_scores, primary_arms, score_title
from scar.reporting.content import Content
from scar.reporting.decision import Decision
from scar.reporting.formats.layout import wrap
from scar.reporting.formats.table import Table
from scar.reporting.group_scores import strategy_order
from scar.reporting.paper.table2 import has_one_seed, one_seed_note
from scar.reporting.tables.caveats import by_what_to_do
from scar.reporting.tables.characteristics import foundation_of
from scar.reporting.tables.estimators_table import leading_estimator, prospect_table
from scar.reporting.tables.flags import NOTHING
from scar.reporting.tables.indicators_table import indicator_lines
from scar.reporting.tables.labels_table import has_several, label_table
from scar.reporting.tables.planners_table import findings, has_planners
from scar.reporting.text import (
    MISSING,
    count,
    decimal,
    group_label,
    legend_of_marks,
    name_of,
    percent,
    percent_interval,
    share,
    size,
    size_interval,
    tested_points,
)

WIDTH = 80
"""Columns of the text file, which every terminal has."""
CLASSES = 12
"""Classes of the plan that are printed."""
CAVEATS = 6
"""Caveats that are printed."""
DETAILS = 2
"""With more groups than this, measures and plans by class are left to the page."""
SHOWN = 8
"""Groups whose comparison is printed."""


def print_report(content: Content, console: Console) -> None:
    """Print the report on a console."""
    groups = content.groups
    for answers in content.answers[:SHOWN]:
        console.rule(answers.label, align="left", style="dim")
        print_decision(answers.decision, console)
        console.print()
    planners = has_planners(content.comparison) and len(groups) > 1
    for line in findings(content.study, content.comparison, metrics=content.comparison.metrics[:2]) if planners else ():
        say(console, line)
    for position, group in enumerate([] if planners else groups[:SHOWN]):
        rows = content.study.of(group)
        if len(groups) > 1:
            console.rule(group_label(group), align="left", style="dim")
        if len(groups) <= DETAILS and position < len(content.details):
            sizes = foundation_tables(rows, content.study.driver)
            overview = [*indicators_overview(rows), measures_table(rows), *sizes]
            for table in overview:
                console.print(table.to_terminal())
            console.print(content.details[position].table.to_terminal(CLASSES))
            if (ahead := content.details[position].next_round) is not None:
                console.print(ahead.to_terminal())
            if has_several(rows):
                console.print(label_table(content.study, group).to_terminal(CLASSES))
        for metric in first_scores(content.comparison.metrics):
            console.print(comparison_table(content, group, metric).to_terminal())
    if planners:
        console.print("Every planner, metric and budget: planners.md, planners.csv", style="dim")
    elif len(groups) > SHOWN:
        console.print(f"{len(groups) - SHOWN} more groups in report.html and table2.md", style="dim")
    if content.uncarded:
        say(console, content.uncarded, style="dim")
    level = f"{100 * content.comparison.level:g} %"
    say(
        console,
        "re-weighted: the probe of the primary set with decisions matched to the mix of the score, which costs nothing; "
        "matched scores decide so for every arm, raw ones as published.",
        style="dim",
    )
    if has_one_seed(content.comparison):
        say(console, one_seed_note(content.comparison), style="dim")
    say(
        console,
        f"Differences in points, paired over seeds and test items, with {level} intervals; "
        f"{legend_of_marks(content.comparison.margin, looks=content.comparison.looks)}.",
        style="dim",
    )
    for line in caveat_lines(content):
        say(console, line)


def plain_text(content: Content) -> str:
    """The report as plain text, `WIDTH` columns wide."""
    file = StringIO()
    print_report(
        content,
        Console(file=file, width=WIDTH, highlight=False, no_color=True, force_terminal=False, legacy_windows=False),
    )
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _table(title: str, headers: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    cells = pd.DataFrame(lines, columns=list(headers))
    return Table(name="terminal", caption=title, cells=cells, values=cells)


def measures_table(rows: pd.DataFrame) -> Table:
    """Measures of the primary set by class: mean, lowest and highest class, undefined classes."""
    lines = []
    own = rows[(rows.stage == "measures") & (rows.subject == "primary")]
    own = own[own.factor == own.factor.min()]
    for metric in MEASURES:
        values = own[own.metric == metric].groupby("class_name").value.mean()
        defined = values.dropna().sort_values()
        if defined.empty:
            lines.append((metric, *["undefined" if len(values) else MISSING] * 3, str(len(values))))
            continue
        ends = [f"{decimal(defined.iloc[i])} {defined.index[i]}" for i in (0, -1)]
        ends = ends if np.ptp(defined) > 0 else ["", ""]
        lines.append((metric, decimal(defined.mean()), *ends, str(len(values) - len(defined))))
    return _table("Measures of the primary set, over classes", ("", "mean", "lowest", "highest", "undefined"), lines)


def indicators_overview(rows: pd.DataFrame) -> list[Table]:
    """Dataset-scale indicators of primary and total; no table where the rows hold none."""
    turned = list(zip(*indicator_lines(rows), strict=True))
    return [_table("Class sizes, skew and tails", turned[0], turned[1:])] if turned else []


def foundation_tables(rows: pd.DataFrame, driver: str) -> list[Table]:
    """Foundation Data Size of the primary set by the leading estimator, and what more data are expected to bring."""
    have = rows.loc[rows.metric == Metric.N_PRIMARY, "value"].mean()
    sizes = rows[(rows.metric == Metric.FOUNDATION_SIZE) & (rows.subject == "primary")]
    if sizes.empty:
        return []
    first = leading_estimator(sizes.estimator.tolist(), driver)
    needs = rows[(rows.metric == Metric.NEED) & (rows.subject == "primary") & (rows.estimator == first)]
    found, seeds = foundation_of(sizes[sizes.estimator == first]), max(needs.seed.nunique(), 1)
    text, ends = size(found["foundation"]), size_interval(found["foundation_low"], found["foundation_high"])
    met, untold = (needs.value == 0).sum() / seeds, needs.value.isna().sum() / seeds
    others = sizes.estimator.nunique() - 1
    title = f"Foundation Data Size from the primary set ({count(have)} samples)"
    title += f"; {others} other estimators: estimators.md" if others else ""
    line = (name_of(first), text, ends, f"{met:.1f} of {len(needs) / seeds:.0f}", f"{untold:.1f}")
    own = _table(title, ("estimator", "samples", "interval", "classes met", "cannot tell"), [line])
    return [own, *([ahead] if (ahead := prospect_table(rows)) else [])]


def comparison_table(content: Content, group: Mapping[str, Any], metric: str) -> Table:
    """Scores at equal added size and SCAR's paired differences for one group, one line per budget and strategy."""
    compared = (content.comparison.arms, content.comparison.differences)
    arms, differences = (select(frame, {"metric": metric, **group}) for frame in compared)
    budgeted, plain = arms[arms.fraction.notna()], select(primary_arms(content.comparison, metric), group)
    strategies = sorted(budgeted.subject.unique(), key=strategy_order)
    seeds = sorted({int(n) for n in budgeted.seeds})
    number = " to ".join(str(each) for each in sorted({*seeds[:1], *seeds[-1:]}))
    title = f"Test {score_title(metric)} in percent at equal added size ({number} seed{'' if number == '1' else 's'})"
    lines = [("–", subject, "–", _score(plain, subject), "") for subject in PLAIN]
    for fraction in sorted(budgeted.fraction.unique()):
        at = budgeted[np.isclose(budgeted.fraction, fraction)]
        paired = differences[np.isclose(differences.fraction, fraction)]
        for place, strategy in enumerate(strategies):
            budget = share(fraction) if place == 0 else ""
            gap = "" if strategy == "scar" or "scar" not in strategies else _gap(paired, strategy)
            lines.append((budget, name_of(strategy), count(float(at.added.max())), _score(at, strategy), gap))
    return _table(title, ["budget", "strategy", "added", "score", "SCAR − it"], lines)


def _score(frame: pd.DataFrame, subject: str) -> str:
    own = frame[frame.subject == subject]
    if own.empty:
        return MISSING
    one = own.iloc[0]
    return f"{percent(one.value)}{'†' if one.majority else ''} {percent_interval(one.low, one.high)}".strip()


def _gap(frame: pd.DataFrame, second: str) -> str:
    own = frame[frame.second == second]
    if own.empty:
        return MISSING
    one = own.iloc[0]
    return tested_points(one.value, one.low, one.high, one.verdict)


def print_decision(decision: Decision, console: Console) -> None:
    """Print questions with their sentences, which wrap beside them."""
    indent = max(cell_len(question) for question, _ in decision.items()) + 2
    for question, sentence in decision.items():
        first, *rest = wrap(visible(sentence), console.width - indent)
        console.print(Text.assemble((question.ljust(indent), "bold"), first), soft_wrap=True)
        for line in rest:
            console.print(Text(" " * indent + line), soft_wrap=True)


def say(console: Console, text: str, *, style: str = "") -> None:
    """Print a text whose lines break between words; one that is indented by four, a command, stays on one line."""
    for line in visible(text).split("\n"):
        indent = " " * (len(line) - len(line.lstrip(" -")))
        whole = line.startswith("    ")
        parts = [line] if whole else wrap(line[len(indent) :], console.width - len(indent))
        for place, part in enumerate(parts):
            lead = "" if whole else line[: len(indent)] if place == 0 else indent
            console.print(Text(lead + part, style=style), soft_wrap=True)


def caveat_lines(content: Content) -> list[str]:
    """Missing cells, unfinished jobs, then caveats by what to do about them; at most `CAVEATS` and a count of the rest."""
    several = len(content.study.groups()) > 1
    found = [("Missing", f"{what}\n    {command}") for what, command in content.missing]
    found += [
        ("Not finished", f"{name}: {state}" + (f"\n    {command}" if command else ""))
        for name, state, command in content.failed
    ]
    caveats = by_what_to_do(content.caveats)
    silent = len(caveats.pop(NOTHING, []))
    for todo, own in caveats.items():
        found += [(todo, f"{each.where}: {each.what}" if several else each.what) for each in own]
    lines, heading = [], ""
    for todo, text in found[:CAVEATS]:
        lines += [] if todo == heading else [f"{todo}:"]
        lines.append(f"  - {text}")
        heading = todo
    rest = max(len(found) - CAVEATS, 0)
    more = [f"{rest} more"] if rest else []
    more += [f"{silent} that change{'s' if silent == 1 else ''} no decision"] if silent else []
    return [*lines, f"{' and '.join(more)}: report.html, under Caveats"] if more else lines
