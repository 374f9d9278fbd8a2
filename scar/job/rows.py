"""One row per measurement, appended job by job and read as one frame.

A job's rows, its test outcomes by item and its plans lie in the folder of the job; a study is the set of job folders
below ``<output>/<study>/jobs``. Reading them needs neither torch nor the store.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from scar import __version__
from scar.common.files import CorruptArtefactError, replacing
from scar.evaluation.label_scores import LabelPredictions
from scar.evaluation.scores import Predictions
from scar.job.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd

    from scar.config.schema import Config

PREDICTIONS = "predictions.npz"
"""File in the folder of a job with what every arm predicted on the test part."""
DEPLOYMENT_MIX = "deployment_mix"
"""In this file: the shares of a declared deployment mix."""
MIX_STAGE = "target_mix"
"""Stage of what is forecast of plans towards target mixes; the subject names the power τ of the deployment mix."""
ROUND_STAGE = "round"
"""Stage of what a strategy would buy in the next round."""
TEXT = ("study", "job", "key", "dataset", "encoder", "modality", "regime", "mix", "completion", "stage", "subject")
TEXT_AFTER = ("estimator", "class_name", "metric", "flag", "version")
INTEGERS = ("seed", "n", "factor", "part", "class_id")
FLOATS = ("fraction", "value", "low", "high", "level")
COLUMNS = (
    *("study", "job", "key", "dataset", "encoder", "modality", "regime", "mix", "seed", "completion", "stage"),
    *("subject", "fraction", "n", "estimator", "factor", "part", "class_id", "class_name", "metric"),
    *("value", "low", "high", "level", "flag", "version"),
)


class Rows:
    """Collects the measurements of one job.

    Args:
        shared: columns that every row of the job has in common, e.g. dataset, encoder and seed.
    """

    def __init__(self, **shared: Any) -> None:
        self._check(shared)
        self.shared = {"version": __version__, **shared}
        self.rows: list[dict[str, Any]] = []

    def add(self, metric: str, value: float, **columns: Any) -> None:
        """Add one measurement; columns that do not apply are left empty.

        Raises:
            ValueError: the metric is not registered, or there is no such column.
        """
        Metric.of(metric)
        self._check(columns)
        self.rows.append({**self.shared, **columns, "metric": str(metric), "value": float(value)})

    def add_classes(self, metric: str, values: Iterable[float], names: tuple[str, ...], **columns: Any) -> None:
        """Add one measurement per class; ``low``, ``high`` and ``flag`` may be sequences of the same length."""
        per_class = {k: v for k, v in columns.items() if k in ("low", "high", "flag") and not isinstance(v, str)}
        common = {k: v for k, v in columns.items() if k not in per_class}
        for index, value in enumerate(values):
            own = {k: v[index] for k, v in per_class.items()}
            self.add(metric, value, class_id=index, class_name=names[index], **common, **own)

    def frame(self) -> pd.DataFrame:
        """Return the rows with every column and its type."""
        import pandas as pd

        return _typed(pd.DataFrame(self.rows, columns=list(COLUMNS)))

    @staticmethod
    def _check(columns: Mapping[str, Any]) -> None:
        unknown = sorted(set(columns) - set(COLUMNS))
        if unknown:
            raise ValueError(f"rows have no column {unknown[0]!r}; columns are {', '.join(COLUMNS)}")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet, atomically, each page with a checksum."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False, write_page_checksum=True)


def read_frame(path: Path) -> pd.DataFrame:
    """Read what `write_frame` wrote.

    Raises:
        CorruptArtefactError: it is no Parquet file, or a page has another checksum.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import read_table

    try:
        frame: pd.DataFrame = read_table(path, page_checksum_verification=True).to_pandas()
    except (ArrowException, OSError, ValueError) as error:
        raise CorruptArtefactError(f"{path} cannot be read: {error}; run its job again") from error
    return frame


def load_rows(study: Path) -> pd.DataFrame:
    """Read the rows of every job of a study folder as one frame.

    Raises:
        FileNotFoundError: the study holds no finished job.
    """
    import pandas as pd

    files = sorted(study.glob("jobs/*/rows.parquet"))
    if not files:
        raise FileNotFoundError(f"no finished job under {study}; run the study first, e.g. scar study={study.name} …")
    return _typed(pd.concat([read_frame(file) for file in files], ignore_index=True))


def save_predictions(
    path: Path,
    labels: np.ndarray,
    predictions: Mapping[str, Predictions | LabelPredictions],
    mix: np.ndarray | None = None,
) -> None:
    """Write, atomically, the test labels [n_test], or zeros and ones [n_test, K], and what each arm decided, in the smallest type that holds them.

    ``<arm>`` holds raw decisions, ``<arm>/deployment`` and ``<arm>/uniform`` matched ones, ``deployment_mix`` [K] the shares
    of a declared mix.
    """
    arrays = {"labels": labels}
    for arm, each in predictions.items():
        arrays |= {arm: each.raw, f"{arm}/deployment": each.deployment, f"{arm}/uniform": each.uniform}
    kind = np.min_scalar_type(max(int(values.max(initial=0)) for values in arrays.values()))
    small: dict[str, Any] = {name: values.astype(kind) for name, values in arrays.items()}
    if mix is not None:
        small[DEPLOYMENT_MIX] = mix
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **small)


def load_predictions(job: Path) -> dict[str, np.ndarray]:
    """Read what `save_predictions` wrote for a job, by the names given there.

    Raises:
        CorruptArtefactError: it is damaged.
    """
    try:
        with np.load(job / PREDICTIONS, allow_pickle=False) as archive:
            found = dict(archive)
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise CorruptArtefactError(f"{job / PREDICTIONS} cannot be read: {error}; run its job again") from error
    return {name: each if name == DEPLOYMENT_MIX else each.astype(np.int64) for name, each in found.items()}


def arm_name(subject: str, fraction: float | None = None) -> str:
    """Return the name of an arm in ``predictions.npz``: ``"primary"``, or ``"scar@0.1"`` for a budgeted arm."""
    return subject if fraction is None else f"{subject}@{fraction:g}"


def named_arm(config: Config) -> tuple[str, str]:
    """Return the arm that ``objective`` names, of the largest budget where it names none, and the score."""
    arm, _, metric = config.objective.rpartition("/")
    return arm or arm_name(config.completion.name, config.budgets.fractions[-1]), metric


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for column in (*TEXT, *TEXT_AFTER):
        frame[column] = frame[column].astype(object).fillna("").astype(str)
    for column in INTEGERS:
        frame[column] = frame[column].astype("Int64")
    for column in FLOATS:
        frame[column] = frame[column].astype(float)
    return frame
