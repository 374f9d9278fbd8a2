"""The report for a terminal of 100 to 120 columns: short tables, plain where it is not a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scar.reporting.characteristics import foundation_of
from scar.reporting.comparison import STRATEGIES, strategy_order
from scar.reporting.text import (
    MISSING,
    count,
    decimal,
    group_label,
    known,
    name_of,
    percent,
    points,
    points_interval,
    share,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from rich.console import Console
    from rich.table import Table as RichTable

    from scar.reporting.content import Content, Detail

WIDTH = 110
CLASSES = 12
"""Classes of the plan that are printed."""
CAVEATS = 6
"""Caveats that are printed."""
DETAILS = 3
"""Groups whose measures and plans are printed."""


def print_report(content: Content, console: Console) -> None:
    """Print the report on a console."""
    for detail, group in zip(content.details[:DETAILS], content.study.groups(), strict=False):
        rows = content.study.of(group)
        console.print()
        console.print(f"[bold]{detail.label}[/]", highlight=False)
        for table in (measures_table(rows), foundation_table(rows, content.study.driver), _plan(detail)):
            console.print(table)
    console.print(comparison_table(content))
    level = f"{100 * content.comparison.level:g} %"
    console.print(
        f"Differences in points, paired over seeds and test items, with {level} intervals; * p < 0.05 after Holm.",
        style="dim",
    )
    _print_caveats(content, console)


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


def measures_table(rows: pd.DataFrame) -> RichTable:
    """Measures of the primary set by class: mean, lowest and highest class, undefined classes."""
    table = _table("Measures of the primary set, over classes", "", "mean", "lowest", "highest", "undefined")
    own = rows[(rows.stage == "measures") & (rows.subject == "primary")]
    own = own[own.factor == own.factor.min()]
    for metric in ("scale", "coverage", "authenticity", "richness"):
        values = own[own.metric == metric].groupby("class_name").value.mean()
        defined = values.dropna().sort_values()
        if defined.empty:
            table.add_row(metric, *["undefined" if len(values) else MISSING] * 3, str(len(values)))
            continue
        ends = [f"{decimal(defined.iloc[i])} {defined.index[i]}" for i in (0, -1)]
        ends = ends if np.ptp(defined) > 0 else ["", ""]
        table.add_row(metric, decimal(defined.mean()), *ends, str(len(values) - len(defined)))
    return table


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
        size = found["foundation"]
        text = "undefined" if not known(size) else ("met" if size == 0 else count(size))
        ends = f"[{count(found['foundation_low'])}, {count(found['foundation_high'])}]" if known(found["foundation_low"]) else ""  # fmt: skip
        met, undefined = (own.value == 0).sum() / seeds, own.value.isna().sum() / seeds
        mark = " (drives the plan)" if estimator == driver else ""
        table.add_row(name_of(estimator) + mark, text, ends, f"{met:.1f} of {len(own) / seeds:.0f}", f"{undefined:.1f}")
    return table


def _plan(detail: Detail) -> RichTable:
    """The first classes of the plan."""
    cells = detail.table.cells
    table = _table(detail.table.caption, *cells.columns)
    for row in cells.head(CLASSES).itertuples(index=False):
        table.add_row(*(str(cell) for cell in row))
    if len(cells) > CLASSES:
        table.add_row(f"… and {len(cells) - CLASSES} more", *[""] * (len(cells.columns) - 1))
    return table


def comparison_table(content: Content, metric: str = "accuracy") -> RichTable:
    """Scores at equal added size and SCAR's paired differences, one line per group and budget."""
    arms, differences = content.comparison.arms, content.comparison.differences
    arms, differences = arms[arms.metric == metric], differences[differences.metric == metric]
    found = arms[arms.fraction.notna()]
    strategies = sorted({*STRATEGIES, *found.subject}, key=strategy_order)
    several = len(content.study.groups()) > 1
    seeds = f"{found.seeds.min():.0f}" if len(found) else "0"
    title = f"Test {name_of(metric)} in percent at equal added size ({seeds} seeds or more)"
    heads = ["data" if several else "budget", "added", "primary", *(name_of(s) for s in strategies)]
    table = _table(title, *heads, *(f"SCAR − {name_of(s)}" for s in strategies[1:]))
    for group in content.study.groups():
        own, compared = _of(arms, group), _of(differences, group)
        for fraction in sorted(own.fraction.dropna().unique()):
            at = own[np.isclose(own.fraction, fraction)]
            plain = own[own.fraction.isna()]
            first = f"{group_label(group)} {share(fraction)}" if several else share(fraction)
            scores = [_score(plain, "primary"), *(_score(at, s) for s in strategies)]
            gaps = [_gap(compared[np.isclose(compared.fraction, fraction)], s) for s in strategies[1:]]
            table.add_row(first, count(float(at.added.max())), *scores, *gaps)
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


def _print_caveats(content: Content, console: Console) -> None:
    lines = [f"missing: {what}\n  {command}" for what, command in content.missing]
    lines += [f"not finished: {name}: {state}" + (f"\n  {c}" if c else "") for name, state, c in content.failed]
    lines += [f"{label}: {text}" for label, texts in content.caveats.items() for text in texts]
    for line in lines[:CAVEATS]:
        console.print(f"! {line}", markup=False, highlight=False)
    if len(lines) > CAVEATS:
        console.print(f"! {len(lines) - CAVEATS} more in report.html, under Caveats", markup=False, highlight=False)
