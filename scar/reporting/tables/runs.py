"""Accuracies of a study, one line per seed, in the columns of the published table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scar.job.metrics import Metric
from scar.reporting.axes import as_texts
from scar.reporting.group_scores import STRATEGIES
from scar.reporting.paper.published_rows import ARMS
from scar.reporting.study_folder import Study


def published_columns(study: Study) -> pd.DataFrame:
    """Accuracies per group and seed at the largest budget; an arm that was not run is NaN."""
    rows = study.rows
    rows = as_texts(rows[(rows.stage == "evaluation") & (rows.metric == Metric.ACCURACY)])
    rows = rows[((rows.subject == "primary") & rows.fraction.isna()) | np.isclose(rows.fraction, rows.fraction.max())]
    columns = dict(zip(("primary", *STRATEGIES), ARMS, strict=True))
    rows = rows[rows.subject.isin(columns)]
    wide = rows.pivot(index=[*study.axes, "seed"], columns="subject", values="value").rename(columns=columns)
    return wide.reindex(columns=list(ARMS)).reset_index()
