"""Names and numbers as people read them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from scar.evaluation.hypotheses import SIGNIFICANCE_LEVEL, STARRED
from scar.evaluation.intervals import LEAST_SEEDS
from scar.evaluation.scores import raw_and_matched
from scar.foundation.settings import ESTIMATORS
from scar.job.metrics import Metric, Number
from scar.reporting.paper.titles import PUBLISHED_TITLES

TITLED = ("dataset", "encoder", "regime", "completion")
"""Groups of the configuration whose options have a title."""
MISSING = "missing"
MARKS = {"better": "*", "worse": "*", "equivalent": "≈"}
"""What stands behind a difference by its verdict."""
_IMAGENET = ("imagenet", "imagenet1k", "imagenet_a", "imagenet_r", "imagenet_v2", "imagenet_sketch")
_TEXTS = ("ag_news", "agnews", "dbpedia", "wikipedia", "wordnet_glosses")
ONE_MODALITY = frozenset((*_IMAGENET, *_TEXTS, "cifar10", "cifar100", "digits", "fashion_mnist"))
"""Data of one modality, which goes without saying; of all others it is named."""


@cache
def titles() -> dict[str, str]:
    """Return titles by name: of the options of the package and of the published tables; a study adds its own."""
    found = ESTIMATORS | PUBLISHED_TITLES
    for group in TITLED:
        for option in (files("scar.conf") / group).iterdir():
            stated = dict(re.findall(r'^(name|title): "?([^"#\n]+?)"? *(?:#.*)?$', option.read_text("utf-8"), re.M))
            if "title" in stated:
                found[stated["name"]] = stated["title"]
    return found


def learn_titles(config: Mapping[str, Any]) -> None:
    """Take over the titles that a composed configuration states."""
    for group in TITLED:
        node = config.get(group) or {}
        if node.get("title"):
            titles()[str(node["name"])] = str(node["title"])


def name_of(key: object) -> str:
    """Display name of a dataset, encoder, regime, strategy, metric or estimator; one without a title stays as it is."""
    return titles().get(str(key), str(key))


def group_label(group: Mapping[str, Any]) -> str:
    """One line for a group: dataset, as ``Flickr30k (Text)``, encoder, regime and pool unless plain, further axes."""
    dataset = name_of(group.get("dataset", ""))
    if dataset and group["dataset"] not in ONE_MODALITY and group.get("modality"):
        dataset = f"{dataset} ({str(group['modality']).capitalize()})"
    parts = [dataset, name_of(group.get("encoder", ""))]
    if circumstances(group) != name_of("natural"):
        parts.append(circumstances(group))
    parts += [f"{k}={v}" for k, v in group.items() if k not in ("dataset", "encoder", "modality", "regime", "mix")]
    return " · ".join(p for p in parts if p)


def circumstances(group: Mapping[str, Any]) -> str:
    """Regime and class mix of the pool, ``long-tailed · same pool``; the pool is left out where both are natural."""
    regime, mix = (str(group.get(axis) or "") for axis in ("regime", "mix"))
    if regime in ("", "natural") and mix in ("", "natural"):
        return name_of("natural")
    return " · ".join([name_of(regime), *([f"{mix} pool"] if mix else [])])


def known(value: float | None) -> bool:
    """Whether a number is there and finite."""
    return value is not None and math.isfinite(value)


def minus(text: str) -> str:
    """Replace the hyphen before a number by the minus sign."""
    return text.replace("-", "−")


def percent(fraction: float, digits: int = 1) -> str:
    """``0.0534`` → ``"5.3"`` (in percent, without the sign)."""
    return minus(f"{100 * fraction:.{digits}f}") if known(fraction) else MISSING


def share(fraction: float) -> str:
    """``0.05`` → ``"5 %"``; digits only where they are needed."""
    return f"{100 * fraction:.4g} %"


def points(difference: float, digits: int = 2) -> str:
    """``-0.0012`` → ``"−0.12"``: a signed difference in percentage points."""
    if not known(difference):
        return MISSING
    text = f"{100 * difference:+.{digits}f}"
    return minus(text) if float(text) else f"{0:.{digits}f}"


def signed(difference: float) -> str:
    """``-0.0012`` → ``"−0.001"``: a signed difference of two decimals."""
    return points(difference / 100, 3)


def points_interval(low: float, high: float, digits: int = 2) -> str:
    """``"[−0.50, +0.30]"``, or empty where the interval is undefined."""
    return f"[{points(low, digits)}, {points(high, digits)}]" if known(low) and known(high) else ""


def tested_points(difference: float, low: float, high: float, verdict: str) -> str:
    """``"+1.20* [+0.30, +2.10]"``: a difference in points, marked by its verdict, with its interval."""
    return f"{points(difference)}{MARKS.get(verdict, '')} {points_interval(low, high)}".strip()


def legend_of_marks(margin: float, tests: int | None = None, *, looks: int = 1) -> str:
    """Say what the marks of `tested_points` stand for.

    Args:
        margin: largest difference that counts as none.
        tests: size of the family of Holm, if it is to be told.
        looks: how often the sweep was to look at its comparisons while it added seeds.
    """
    family = f" over {tests} comparisons" if tests is not None else ""
    return (
        f"* {STARRED} after Holm{family}; {MARKS['equivalent']} no difference larger than {points_of(margin)} "
        f"({1 - SIGNIFICANCE_LEVEL:.0%}, two one-sided tests, each on its own); no mark: cannot tell".replace("%", " %")
    ) + (f"; all intervals and marks count the {looks} looks of seeds=adaptive" if looks > 1 else "")


def notes_on(metric: str) -> list[str]:
    """What has to be said of a score whose interval needs more seeds than others: what it estimates, and from when on."""
    name, _ = raw_and_matched(metric)
    if name not in LEAST_SEEDS:
        return []
    return [
        "Estimated is the expected smallest recall of a class on a test part of this size, whichever class has it; "
        f"intervals from {LEAST_SEEDS[name]} seeds on."
    ]


def points_of(margin: float) -> str:
    """``0.005`` → ``"0.5 points"``."""
    return f"{100 * margin:g} point{'' if margin == 0.01 else 's'}"


def percent_interval(low: float, high: float, digits: int = 1) -> str:
    """``"[84.1, 85.0]"``, or empty where the interval is undefined."""
    return f"[{percent(low, digits)}, {percent(high, digits)}]" if known(low) and known(high) else ""


def count(value: float) -> str:
    """``12345.6`` → ``"12 346"`` with a thin no-break space."""
    return f"{value:,.0f}".replace(",", "\u202f").replace("-", "−") if known(value) else MISSING


def size(value: float) -> str:
    """A Foundation Data Size or need: a count, or ``met`` (0), ``unreachable`` (∞), ``undefined`` (NaN)."""
    if math.isnan(value):
        return "undefined"
    return "met" if value == 0 else ("unreachable" if math.isinf(value) else count(value))


def size_interval(low: float, high: float) -> str:
    """``"[1 019, 61 590]"``, open ends as ∞; empty where it is undefined or nothing but 0."""
    if math.isnan(low) or math.isnan(high) or high == 0:
        return ""
    return f"[{', '.join('∞' if math.isinf(end) else count(end) for end in (low, high))}]"


def decimal(value: float, digits: int = 3) -> str:
    """A plain decimal, or ``"missing"``."""
    return minus(f"{value:.{digits}f}") if known(value) else MISSING


def shown(metric: Metric, value: float) -> str:
    """A value of a metric as its registry says."""
    match metric.number:
        case Number.COUNT:
            return count(value)
        case Number.SIZE:
            return size(value)
        case Number.PERCENT:
            return percent(value)
        case Number.SHARE:
            return f"{percent(value)} %" if known(value) else MISSING
        case Number.RATIO:
            return "∞" if math.isinf(value) else decimal(value, 1)
        case Number.DECIMAL:
            return decimal(value)


def shown_change(metric: Metric, difference: float) -> str:
    """A signed difference of two values of a metric; points where the values are in percent."""
    match metric.number:
        case Number.PERCENT | Number.SHARE:
            return minus(f"{100 * difference:+.2f}")
        case Number.COUNT | Number.SIZE:
            return minus(f"{difference:+,.0f}").replace(",", "\u202f")
        case _:
            return minus(f"{difference:+.3f}")


def listing(names: list[str], limit: int = 6) -> str:
    """``"a, b and c"``; beyond `limit` names the rest is counted."""
    if len(names) > limit:
        return f"{', '.join(names[: limit - 1])} and {len(names) - limit + 1} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def script_json(value: Any) -> str:
    """Return JSON that may stand in a script of a page."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
