"""Slices of the test part other than classes: clusters that are decided worse than the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scar.common.spreadsheets import read_frame
from scar.evaluation.slices import LEVEL
from scar.job.map_points import SLICES
from scar.reporting.formats.table import Table
from scar.reporting.study_job import StudyJob
from scar.reporting.text import count, group_label, percent, percent_interval, points, share

SHOWN, AT_LEAST = 10, 3
"""Slices that are shown at most; those with the most to gain where none is shown to be low."""


def slices_table(
    jobs: Sequence[StudyJob], *, group: Mapping[str, Any], seed: int, name: str = "slices"
) -> Table | None:
    """Return the slices that lie below the rest, those with the most to gain first; None where none was judged.

    Args:
        jobs: of the group.
        group: values of the axes.
        seed: which seed.
        name: of the table.
    """
    own = [job.folder / SLICES for job in jobs if job.columns["seed"] == seed and (job.folder / SLICES).exists()]
    frame = read_frame(own[0], ("classes",)) if own else pd.DataFrame()
    if frame.empty:
        return None
    low = frame[frame.is_low == 1]
    shown = (low.head(SHOWN) if len(low) else frame.head(AT_LEAST)).reset_index(drop=True)
    cells = [
        {
            "Slice": f"{place}: {row['classes']}",
            "Test items": count(row["size"]),
            "Right [%]": f"{percent(row['right'])} {percent_interval(row['low'], row['high'])}",
            "The rest [%]": percent(row["rest"]),
            "Its classes elsewhere [%]": percent(row["alike"]) if row["alike"] == row["alike"] else "–",
            "To gain [points]": points(row["gain"]),
            "Below the rest": "yes" if row["is_low"] else "cannot tell",
        }
        for place, row in enumerate(shown.to_dict("records"), start=1)
    ]
    judged, least = int(frame.judged.iloc[0]), int(frame["size"].min())
    return Table(
        name=name,
        caption=f"Slices of the test part: {group_label(group)}, seed {seed}",
        cells=pd.DataFrame(cells),
        values=shown,
        sort_by={"Test items": "size", "Right [%]": "right", "The rest [%]": "rest", "Its classes elsewhere [%]": "alike", "To gain [points]": "gain"},
        notes=(
            f"{judged} clusters of the embeddings (k-means; the smallest judged has {count(least)} items) were found without looking "
            f"at the answers; {len(low)} of them {'is' if len(low) == 1 else 'are'} below the rest. All {judged} intervals hold at once with {share(LEVEL)} (Clopper "
            "and Pearson, Bonferroni), for this probe; other splits may have other slices.",
            "To gain: what the accuracy on all test items would rise by if the slice were decided as well as the rest. "
            "Its classes elsewhere: what the same classes reach outside the slice; where that is as low, the classes are the reason.",
        ),
    )  # fmt: skip
