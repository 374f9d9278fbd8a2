"""The report for a terminal of 100 to 120 columns: short tables, plain where it is not a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scar.evaluation import SCORES
from scar.reporting.characteristics import foundation_of
from scar.reporting.comparison import STRATEGIES, strategy_order
from scar.reporting.indicators_table import indicator_lines
from scar.reporting.planners_table import findings, has_planners
from scar.reporting.text import (
    MISSING,
    count,
    decimal,
    group_label,
    listing,
    name_of,
    percent,
    points,
    points_interval,
    share,
    size,
    size_interval,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from rich.console import Console
    from rich.table import Table as RichTable

    from scar.reporting.content import Content
    from scar.reporting.details import Detail

WIDTH = 110
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
    groups = content.study.groups()
    planners = has_planners(content.comparison) and len(groups) > 1
    for line in findings(content.study, content.comparison, metrics=SCORES[:2]) if planners else ():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for position, group in enumerate([] if planners else groups[:SHOWN]):
        rows = content.study.of(group)
        console.rule(group_label(group), align="left", style="dim")
        if len(groups) <= DETAILS and position < len(content.details):
            for table in indicators_overview(rows):
                console.print(table)
            console.print(measures_table(rows))
            console.print(foundation_table(rows, content.study.driver))
            console.print(plan_overview(content.details[position]))
        console.print(comparison_table(content, group))
    if planners:
        console.print("Every planner, metric and budget: planners.md, planners.csv", style="dim")
    elif len(groups) > SHOWN:
        console.print(f"{len(groups) - SHOWN} more groups in report.html and table2.md", style="dim")
    level = f"{100 * content.comparison.level:g} %"
    console.print(
        f"Differences in points, paired over seeds and test items, with {level} intervals; * p < 0.05 after Holm.",
        style="dim",
    )
    for line in caveat_lines(content):
        console.print(f"! {line}", markup=False, highlight=False, soft_wrap=True)


def plain_text(content: Content) -> str:
    """The report as plain text, `WIDTH` columns wide."""
    from io import StringIO

    from rich.console import Console

    file = StringIO()
    print_report(content, Console(file=file, width=WIDTH, highlight=False, no_color=True, legacy_windows=False))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _table(title: str, *headers: str) -> RichTable:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    for position, header in enumerate(headers):
        table.add_column(header, justify="left" if position == 0 else "right", overflow="fold")
    return table


def _row(table: RichTable, *cells: str) -> None:
    """Add a row; brackets in names are no markup."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))


def measures_table(rows: pd.DataFrame) -> RichTable:
    """Measures of the primary set by class: mean, lowest and highest class, undefined classes."""
    table = _table("Measures of the primary set, over classes", "", "mean", "lowest", "highest", "undefined")
    own = rows[(rows.stage == "measures") & (rows.subject == "primary")]
    own = own[own.factor == own.factor.min()]
    for metric in ("scale", "coverage", "authenticity", "richness"):
        values = own[own.metric == metric].groupby("class_name").value.mean()
        defined = values.dropna().sort_values()
        if defined.empty:
            _row(table, metric, *["undefined" if len(values) else MISSING] * 3, str(len(values)))
            continue
        ends = [f"{decimal(defined.iloc[i])} {defined.index[i]}" for i in (0, -1)]
        ends = ends if np.ptp(defined) > 0 else ["", ""]
        _row(table, metric, decimal(defined.mean()), *ends, str(len(values) - len(defined)))
    return table


def indicators_overview(rows: pd.DataFrame) -> list[RichTable]:
    """Dataset-scale indicators of primary and total; no table where the rows hold none."""
    lines = indicator_lines(rows)
    if not lines:
        return []
    table = _table("Class sizes, skew and tails", *lines[0])
    for line in lines[1:]:
        _row(table, *line)
    return [table]


def foundation_table(rows: pd.DataFrame, driver: str) -> RichTable:
    """Foundation Data Size of the primary set by estimator."""
    have = rows.loc[rows.metric == "n_primary", "value"].mean()
    title = f"Foundation Data Size from the primary set ({count(have)} samples)"
    table = _table(title, "estimator", "samples", "interval", "classes met", "undefined")
    sizes = rows[(rows.metric == "foundation_size") & (rows.subject == "primary")]
    needs = rows[(rows.metric == "need") & (rows.subject == "primary")]
    for estimator in sorted(sizes.estimator.unique(), key=lambda e: (e != driver, e)):
        found = foundation_of(sizes[sizes.estimator == estimator])
        own = needs[needs.estimator == estimator]
        seeds = max(own.seed.nunique(), 1)
        text, ends = size(found["foundation"]), size_interval(found["foundation_low"], found["foundation_high"])
        met, undefined = (own.value == 0).sum() / seeds, own.value.isna().sum() / seeds
        mark = " (drives the plan)" if estimator == driver else ""
        _row(table, name_of(estimator) + mark, text, ends, f"{met:.1f} of {len(own) / seeds:.0f}", f"{undefined:.1f}")
    return table


def plan_overview(detail: Detail) -> RichTable:
    """The first classes of the plan."""
    cells = detail.table.cells
    table = _table(detail.table.caption, *cells.columns)
    for row in cells.head(CLASSES).itertuples(index=False):
        _row(table, *(str(cell) for cell in row))
    if len(cells) > CLASSES:
        _row(table, f"… and {len(cells) - CLASSES} more", *[""] * (len(cells.columns) - 1))
    return table


def comparison_table(content: Content, group: Mapping[str, Any], metric: str = "accuracy") -> RichTable:
    """Scores at equal added size and SCAR's paired differences for one group, one line per budget."""
    arms, differences = (
        _of(f[f.metric == metric], group) for f in (content.comparison.arms, content.comparison.differences)
    )
    budgeted, plain = arms[arms.fraction.notna()], arms[arms.fraction.isna()]
    strategies = sorted({*STRATEGIES, *budgeted.subject}, key=strategy_order)
    seeds = sorted({int(n) for n in budgeted.seeds})
    title = f"Test {name_of(metric)} in percent at equal added size ({' to '.join(map(str, {*seeds[:1], *seeds[-1:]}))} seeds)"
    heads = ["budget", "added", "primary", *(name_of(s) for s in strategies)]
    table = _table(title, *heads, *(f"SCAR − {name_of(s)}" for s in strategies[1:]))
    for fraction in sorted(budgeted.fraction.unique()):
        at = budgeted[np.isclose(budgeted.fraction, fraction)]
        compared = differences[np.isclose(differences.fraction, fraction)]
        scores = [_score(plain, "primary"), *(_score(at, s) for s in strategies)]
        gaps = [_gap(compared, s) for s in strategies[1:]]
        _row(table, share(fraction), count(float(at.added.max())), *scores, *gaps)
    return table


def _of(frame: pd.DataFrame, group: Mapping[str, Any]) -> pd.DataFrame:
    for axis, value in group.items():
        frame = frame[frame[axis] == value]
    return frame


def _score(frame: pd.DataFrame, subject: str) -> str:
    own = frame[frame.subject == subject]
    return f"{percent(own.value.iloc[0])}{'†' if own.majority.iloc[0] else ''}" if len(own) else MISSING


def _gap(frame: pd.DataFrame, second: str) -> str:
    own = frame[frame.second == second]
    if own.empty:
        return MISSING
    one = own.iloc[0]
    return f"{points(one.value)}{'*' if one.p_holm < 0.05 else ''} {points_interval(one.low, one.high)}".strip()


def caveat_lines(content: Content) -> list[str]:
    """Missing cells, unfinished jobs and caveats, most urgent first; at most `CAVEATS` and a count of the rest."""
    lines = [f"missing: {what}\n    {command}" for what, command in content.missing]
    lines += [f"not finished: {name}: {state}" + (f"\n    {c}" if c else "") for name, state, c in content.failed]
    for group, texts in content.caveats.items():
        label = f"{group}: " if len(content.study.groups()) > 1 else ""
        lost = [text.split(": coverage undefined at ")[0] for text in texts if ": coverage undefined at " in text]
        lines += [f"{label}coverage undefined at some sizes for {listing(lost)}"] if lost else []
        lines += [f"{label}{text}" for text in texts if ": coverage undefined at " not in text]
    rest = len(lines) - CAVEATS
    return [*lines[:CAVEATS], f"{rest} more in report.html, under Caveats"] if rest > 0 else lines
