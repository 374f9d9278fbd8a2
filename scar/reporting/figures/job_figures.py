"""The figures of a single job, for its run of Weights & Biases."""

from __future__ import annotations

import pandas as pd

from scar.job.metrics import Metric
from scar.reporting.figures.growth_figure import draw_growth, growth_frame, shows_growth
from scar.reporting.figures.measures_figure import draw_measures, measures_by_size, varying
from scar.reporting.figures.plan_figure import draw_plan
from scar.reporting.figures.style import Drawing
from scar.reporting.tables.plan_table import plan_by_class


def job_figures(frame: pd.DataFrame, *, title: str, driver: str | None = None) -> dict[str, bytes]:
    """Return the measures by subset size, the growth curve and the plan of a job as PNG; what has no data is left out.

    Args:
        frame: the rows of one job.
        title: of the figures.
        driver: estimator whose needs the plan answers; the first in the rows that has needs if None.
    """
    drawings: list[Drawing] = []
    if frame.empty:
        return {}
    seed, strategy = int(frame.seed.iloc[0]), str(frame.completion.iloc[0])
    measures = measures_by_size(frame)
    if varying(measures):
        drawings.append(draw_measures(measures, title=title))
    if len(measures):
        growth = growth_frame(frame, seed=seed)
        if shows_growth(growth):
            drawings.append(draw_growth(growth, title=title))
    needs = frame.loc[(frame.metric == Metric.NEED) & (frame.subject == "primary"), "estimator"].unique()
    if len(needs) and (frame.metric == Metric.ADDED).any():
        plan = plan_by_class(frame, seed=seed, estimator=driver or str(needs[0]), strategy=strategy)
        drawings.append(draw_plan(plan, title=title, strategy=strategy))
    try:
        return {drawing.name: drawing.render("png") for drawing in drawings}
    finally:
        for drawing in drawings:
            drawing.close()
