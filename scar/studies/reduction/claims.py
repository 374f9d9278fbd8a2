"""What the TL;DR paper says, one claim a line, and whether a study confirms it, refutes it or cannot test it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from scar.studies.reduction.arm_differences import MARGIN, TESTED, verdict
from scar.studies.reduction.arms import RECOMMENDED

CONFIRMED, REFUTED, UNSHOWN, UNTESTED = "confirmed", "refuted", "not shown", "not testable here"
BETTER = {"better": CONFIRMED, "worse": REFUTED, "equivalent": REFUTED, "cannot tell": UNSHOWN}
AS_GOOD = {"better": CONFIRMED, "worse": REFUTED, "equivalent": CONFIRMED, "cannot tell": UNSHOWN}
HARMFUL = {"better": REFUTED, "worse": CONFIRMED, "equivalent": REFUTED, "cannot tell": UNSHOWN}
ARM_CLAIMS = (
    ("A quarter by TL;DR trains as well as all pairs (Tables 2e, 3)", "reduced_refined", "full", AS_GOOD),
    ("A quarter that is well chosen does (not a claim of the paper)", RECOMMENDED, "full", AS_GOOD),
    ("Clusters of codes beat random pairs (Table 2a)", "reduced", "random", BETTER),
    ("Refined captions help, on the paper's pairs (Table 2a)", "reduced_refined", "reduced", BETTER),
    ("Refined captions help, on random pairs (Table 2a)", "random_refined", "random", BETTER),
    ("Captions that collapse do harm (§3.2)", "reduced_collapsed", "reduced", HARMFUL),
    ("Low matching scores mark pairs that harm (Figure 1)", "similarity", "random", BETTER),
)
"""Claim, first and second arm, and what a verdict on their difference says of it."""
ELSEWHERE = "they need those data and pair models of the published size"


def claims(table: pd.DataFrame, ablations: pd.DataFrame, scores: pd.DataFrame | None) -> pd.DataFrame:
    """Return one row per claim: ``claim``, ``verdict`` and ``why``; those without a measurement are left out.

    Args:
        table: of `scar.studies.reduction.arm_differences.differences`.
        ablations: of `scar.studies.reduction.trained_ablations.ablation_differences`.
        scores: pair scores before and after, of Figure 7; None where no captions were written.
    """
    tested = table[table.metric.isin(TESTED) & (table.budget == 1)]
    by_arms = {(row["first"], row["second"]): row for row in tested.to_dict("records")}
    found = [
        _line(claim, meaning[verdict(by_arms[first, second])], f"{first} − {second}: {_said(by_arms[first, second])}")
        for claim, first, second, meaning in ARM_CLAIMS
        if (first, second) in by_arms
    ]
    found += [*([] if scores is None else _figure7(scores)), *_time(table)]
    for name, claim, judge in ABLATION_CLAIMS:
        own = ablations[ablations.table == name].to_dict("records")
        if own:
            found.append(_line(claim, *judge({str(row["case"]): row for row in own})))
    found.append(_line("Video, VQA, captioning, ImageNet (Tables 5 to 8)", UNTESTED, ELSEWHERE))
    return pd.DataFrame(found, columns=["claim", "verdict", "why"])


def _line(claim: str, judged: str, why: str) -> dict[str, str]:
    return {"claim": claim, "verdict": judged, "why": why}


def _said(row: dict[str, Any]) -> str:
    """``-4.1 [-5.1, -3.1], p < 0.001``, with the test of equivalence where nothing else is shown."""
    p = "p < 0.001" if row["p_holm"] < 0.001 else f"p = {row['p_holm']:.3g}"
    text = f"{100 * row['value']:+.1f} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}], {p}"
    if verdict(row) in ("equivalent", "cannot tell"):
        text += f"; equivalence within {100 * MARGIN:g} points: p = {row['p_equivalence']:.2g}"
    return text


def _figure7(scores: pd.DataFrame) -> list[dict[str, str]]:
    before, after = (float(scores.loc[scores.set == name, "score"].mean()) for name in ("before", "after"))
    judged = CONFIRMED if after > before else REFUTED
    why = (
        f"mean pair score {before:.3f} before, {after:.3f} after, not tested; captions were accepted by the same score"
    )
    return [_line("Refined pairs score higher (Figure 7)", judged, why)]


def _time(table: pd.DataFrame) -> list[dict[str, str]]:
    own = table[(table.metric == "cpu_seconds") & (table["first"] == "reduced") & (table["second"] == "full")]
    if own.empty:
        return []
    row = own.iloc[0]
    judged = CONFIRMED if row.high < 0 else REFUTED
    why = f"reduced − full: {row.value:+.1f} s [{row.low:+.1f}, {row.high:+.1f}] of CPU time; steps cost, not pairs"
    return [_line("Reducing saves time, at equal steps (Table 8)", judged, why)]


Rows = dict[str, dict[str, Any]]


def _rules(own: Rows) -> tuple[str, str]:
    """No rule better than uniform draws."""
    said = {name: verdict(row) for name, row in own.items()}
    if "better" in said.values():
        return REFUTED, _listed(own, "better")
    judged = CONFIRMED if set(said.values()) <= {"equivalent", "worse"} else UNSHOWN
    return judged, _listed(own)


def _worse(*names: str) -> Callable[[Rows], tuple[str, str]]:
    """Return a judge: the named cases are worse than the study's own."""

    def judge(own: Rows) -> tuple[str, str]:
        shown = {name: own[name] for name in names if name in own} or own
        said = [verdict(row) for row in shown.values()]
        if all(each == "worse" for each in said):
            return CONFIRMED, _listed(shown)
        return REFUTED if "better" in said or set(said) <= {"equivalent"} else UNSHOWN, _listed(shown)

    return judge


def _shares(own: Rows) -> tuple[str, str]:
    """Fewer pairs are worse, more are better."""
    ordered = {name: row for name, row in own.items() if name.endswith("%")}
    wanted = {name: "better" if float(name.rstrip("%")) > 25 else "worse" for name in ordered}
    said = {name: verdict(row) for name, row in ordered.items()}
    if said == wanted:
        return CONFIRMED, _listed(ordered)
    opposite = {"better": "worse", "worse": "better"}
    against = any(said[name] == opposite[wanted[name]] for name in said)
    return REFUTED if against else UNSHOWN, _listed(ordered)


def _clusters(own: Rows) -> tuple[str, str]:
    said = {verdict(row) for row in own.values()}
    if said & {"better", "worse"}:
        return REFUTED, _listed(own)
    return CONFIRMED if said <= {"equivalent"} else UNSHOWN, _listed(own)


def _listed(own: Rows, only: str = "") -> str:
    return "; ".join(f"{name} {_said(row)}" for name, row in own.items() if not only or verdict(row) == only)


ABLATION_CLAIMS: tuple[tuple[str, str, Callable[[Rows], tuple[str, str]]], ...] = (
    ("2b", "No rule draws better from a cluster than chance (Table 2b)", _rules),
    ("2c", "Codes that start from key words beat random ones (Table 2c)", _worse("xavier")),
    ("2d", "Codes cluster better than embeddings of images or captions (Table 2d)", _worse("Image Embedding", "Text Embedding")),
    ("2e", "The more pairs are kept, the better (Table 2e)", _shares),
    ("2f", f"The number of clusters hardly matters: within {100 * MARGIN:g} points (Table 2f)", _clusters),
)  # fmt: skip
"""Table, claim, and how it is judged from the differences of its cases to the study's own reduction."""
