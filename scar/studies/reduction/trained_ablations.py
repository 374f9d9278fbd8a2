"""Tables 2b to 2f by pair models: every row trained as the reduced set with refined captions is, beside that of the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from scar.evaluation.hypotheses import equivalence, holm
from scar.evaluation.intervals import crossed_interval
from scar.reduction.keep import clusters_for
from scar.studies.reduction.arm_differences import MARGIN, items_of
from scar.studies.reduction.arms import ARMS, Case, PairArm, cases
from scar.studies.reduction.judge import PairResult
from scar.studies.reduction.rival_stages import RivalStages

REFINED = next(arm for arm in ARMS if arm.name == "reduced_refined")
_SHOWN = ("recall", "tr_at_1", "ir_at_1", "zero_shot", "linear_probe", "cpu_seconds")


def trained_cases(stages: RivalStages) -> dict[Case, list[PairResult]]:
    """Return the result of each of the first seeds for the cases of ``reduction.tables``; what the store lacks is trained.

    A case that is the reduction of the study itself has the results of its arm.
    """
    found = {}
    for case in cases(stages.reduction, len(stages.pairs.train)):
        if case.table in stages.reduction.tables:
            own, arm = _stages_of(case, stages)
            found[case] = [own.result(arm, seed) for seed in _seeds(stages)]
    return found


def _seeds(stages: RivalStages) -> tuple[int, ...]:
    return stages.reduction.seeds[: stages.reduction.table_seeds]


def is_base(case: Case, stages: RivalStages) -> bool:
    """Tell whether a case is the reduction of the study itself."""
    count = clusters_for(len(stages.pairs.train))
    own, base = (replace(each, clusters=each.clusters or count) for each in (case.reduction, stages.reduction))
    return not case.encoder_images and own == base


def _stages_of(case: Case, stages: RivalStages) -> tuple[RivalStages, PairArm]:
    arm = replace(REFINED, encoder_images=case.encoder_images)
    return RivalStages(replace(stages.config, reduction=case.reduction), stages.store), arm


def ablation_rows(found: Mapping[Case, list[PairResult]], stages: RivalStages) -> list[dict[str, Any]]:
    """Return one row per case, seed and metric, of the kind ``"ablation"``."""
    records = []
    for case, results in found.items():
        about = {"kind": "ablation", "table": case.table, "case": case.name, "override": case.override}
        for seed, result in zip(_seeds(stages), results, strict=True):
            values = result.values()
            records += [
                about | {"seed": seed, "metric": name, "value": values[name]} for name in _SHOWN if name in values
            ]
    return records


def ablation_differences(found: Mapping[Case, list[PairResult]], stages: RivalStages) -> pd.DataFrame:
    """Return recall of each case minus that of the study's own reduction, paired by seed and test item.

    P-values are corrected over all cases; a case that is the study's own has no row.
    """
    base, records = items_of([stages.result(REFINED, seed) for seed in _seeds(stages)], "recall", 1.0), []
    for case, results in found.items():
        scores = items_of(results, "recall", 1.0)
        if base is None or scores is None or is_base(case, stages):
            continue
        estimate = crossed_interval(scores - base)
        kept = {name: getattr(estimate, name) for name in ("value", "low", "high", "p_value", "seeds", "flag")}
        records.append(
            {"table": case.table, "case": case.name} | kept | {"p_equivalence": equivalence(estimate, MARGIN)}
        )
    columns = ["table", "case", "value", "low", "high", "p_value", "seeds", "flag", "p_equivalence"]
    frame = pd.DataFrame.from_records(records, columns=columns)
    frame["p_holm"] = holm(frame.p_value.to_numpy(np.float64))
    return frame
