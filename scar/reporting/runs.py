"""Accuracies of a study, one line per seed, in the columns of the published table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scar.reporting.comparison import STRATEGIES
from scar.reporting.published import ARMS

if TYPE_CHECKING:
    import pandas as pd

    from scar.reporting.study import Study


def published_columns(study: Study, fraction: float | None = None) -> pd.DataFrame:
    """Accuracies per group and seed; an arm that was not run is NaN.

    Args:
        study: whose rows.
        fraction: the budget; the largest if None.
    """
    rows = study.rows
    rows = rows[(rows.stage == "evaluation") & (rows.metric == "accuracy")]
    budget = rows.fraction.max() if fraction is None else fraction
    rows = rows[((rows.subject == "primary") & rows.fraction.isna()) | np.isclose(rows.fraction, budget)]
    columns = dict(zip(("primary", *STRATEGIES), ARMS, strict=True))
    rows = rows[rows.subject.isin(columns)]
    wide = rows.pivot(index=[*study.axes, "seed"], columns="subject", values="value").rename(columns=columns)
    return wide.reindex(columns=list(ARMS)).reset_index()
