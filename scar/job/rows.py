"""One row per measurement, appended job by job and read as one frame.

What was measured class by class is stored as one row whose cells are lists (`LISTS`), so that a job has as many rows
whatever the number of classes, and read as a row per class. A job's rows, its test outcomes by item and its plans lie in the folder of the job; a study is the set of job folders
below ``<output>/<study>/jobs``. Reading them needs neither torch nor the store.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from scar import __version__
from scar.common.files import CorruptArtefactError, replacing
from scar.common.types import Ints
from scar.evaluation.label_scores import LabelPredictions
from scar.evaluation.scores import Predictions
from scar.job.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

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
LISTS = {
    "classes": "class_id",
    "class_names": "class_name",
    "values": "value",
    "lows": "low",
    "highs": "high",
    "flags": "flag",
}
"""Columns of stored rows that hold a list, one entry per class, and the columns that the entries fill; null where a row is
of no class or the entries are all empty."""


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

    def add_classes(
        self, metric: str, values: Iterable[float], names: Sequence[str], *, classes: Any = None, **columns: Any
    ) -> None:
        """Add one measurement of several classes, in one row.

        Args:
            metric: what was measured.
            values: [c] of the classes.
            names: [K] of all classes.
            classes: [c] which they are; all in their order if None.
            columns: as in `add`; ``low``, ``high`` and ``flag`` may be sequences of c.

        Raises:
            ValueError: the metric is not registered, or there is no such column.
        """
        per_class = {k: v for k, v in columns.items() if k in ("low", "high", "flag") and not isinstance(v, str)}
        found = [float(value) for value in values]
        which = np.arange(len(found)) if classes is None else np.asarray(classes, dtype=np.int64)
        if not len(found):
            return
        self.add(metric, math.nan, **{k: v for k, v in columns.items() if k not in per_class})
        lists = {"classes": which.tolist(), "class_names": [names[j] for j in which], "values": found}
        for name, entries in per_class.items():
            own = list(map(str, entries)) if name == "flag" else [float(each) for each in entries]
            if name != "flag" or any(own):
                lists[f"{name}s"] = own
        self.rows[-1] |= lists

    def table(self) -> pa.Table:
        """Return the rows as they are stored."""
        import pandas as pd
        import pyarrow as pa

        frame = _typed(pd.DataFrame(self.rows, columns=list(COLUMNS)))
        table = pa.Table.from_pandas(frame, preserve_index=False)
        kinds = {"class_id": pa.int32(), "class_name": pa.string(), "flag": pa.string()}
        for name, column in LISTS.items():
            entries = pa.array([row.get(name) for row in self.rows], pa.list_(kinds.get(column, pa.float64())))
            table = table.append_column(name, entries)
        return table

    def frame(self) -> pd.DataFrame:
        """Return a row per measurement and class, with every column and its type."""
        return _typed(expand(self.table()))

    @staticmethod
    def _check(columns: Mapping[str, Any]) -> None:
        unknown = sorted(set(columns) - set(COLUMNS))
        if unknown:
            raise ValueError(f"rows have no column {unknown[0]!r}; columns are {', '.join(COLUMNS)}")


def write_rows(rows: Rows, path: Path) -> None:
    """Write rows as Parquet, atomically, each page with a checksum."""
    from pyarrow.parquet import write_table

    with replacing(path) as temporary:
        write_table(rows.table(), temporary, write_page_checksum=True)


def expand(table: pa.Table) -> pd.DataFrame:
    """Return stored rows as a frame with a row per class; rows without lists stay as they are, and all in their order.

    Equal texts of a column are one object, so that a study of many jobs fits in memory.
    """
    import pandas as pd

    columns, texts = expand_coded(table)
    found = {name: texts[name][each] if name in texts else each for name, each in columns.items()}
    return pd.DataFrame({name: pd.Series(each, dtype=each.dtype, copy=False) for name, each in found.items()})


def expand_coded(table: pa.Table) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the columns of stored rows with a row per class, texts as codes, and what the codes stand for.

    Returns:
        Column → [n] array, in the order of the table; of a column of texts its codes. Column of texts → texts by code, of
        which some may be equal.
    """
    import pyarrow.compute as pc

    place, has_lists = np.arange(len(table)), "values" in table.column_names
    if has_lists:
        lengths = pc.list_value_length(table["values"])
        place = np.repeat(place, pc.fill_null(lengths, 1).to_numpy())
    columns: dict[str, Any] = {}
    texts: dict[str, np.ndarray] = {}
    plain = [each.name for each in table.schema if each.name not in LISTS and not _is_text(each.type)]
    numbers = table.select(plain).to_pandas()
    for name in table.column_names:
        if name in plain:
            columns[name] = numbers[name].array.take(place)
        elif name not in LISTS:
            codes, texts[name] = _coded(table[name])
            columns[name] = codes[place]
    for name, column in LISTS.items() if has_lists else ():
        own = table[name].is_valid().to_numpy(zero_copy_only=False)[place]
        if own.any():
            entries = pc.list_flatten(table[name])
            if _is_text(entries.type):
                codes, further = _coded(entries)
                columns[column][own] = codes + len(texts[column])
                texts[column] = np.concatenate([texts[column], further])
            else:
                columns[column][own] = entries.to_numpy(zero_copy_only=False)
    return columns, texts


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _coded(texts: pa.ChunkedArray | pa.Array) -> tuple[Ints, np.ndarray]:
    """Return codes [n] of texts and what they stand for; a missing one is empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = pc.fill_null(texts.cast(pa.large_string()), "")
    whole = filled.combine_chunks() if isinstance(filled, pa.ChunkedArray) else filled
    coded = whole.dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    return coded.indices.to_numpy(zero_copy_only=False), np.array(coded.dictionary.to_pylist(), dtype=object)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet, atomically, each page with a checksum."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False, write_page_checksum=True)


def read_stored(path: Path, *, without: Collection[str] = ()) -> pa.Table:
    """Read what `write_rows` or `write_frame` wrote, as it is stored.

    Args:
        path: of the file.
        without: columns that are not read.

    Raises:
        CorruptArtefactError: it is no Parquet file, or a page has another checksum.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path, page_checksum_verification=True) as file:
            names = [name for name in file.schema_arrow.names if name not in without]
            return file.read(names, use_threads=False)
    except (ArrowException, OSError, ValueError) as error:
        raise CorruptArtefactError(f"{path} cannot be read: {error}; run its job again") from error


def read_frame(path: Path) -> pd.DataFrame:
    """Read what `write_rows` or `write_frame` wrote, a row per class.

    Raises:
        CorruptArtefactError: it is no Parquet file, or a page has another checksum.
    """
    return expand(read_stored(path))


def join_stored(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Return the stored rows of several jobs as one frame, a row per class."""
    import pyarrow as pa

    return expand(pa.concat_tables(tables, promote_options="permissive"))


def load_rows(study: Path) -> pd.DataFrame:
    """Read the rows of every job of a study folder as one frame.

    Raises:
        FileNotFoundError: the study holds no finished job.
    """
    files = sorted(study.glob("jobs/*/rows.parquet"))
    if not files:
        raise FileNotFoundError(f"no finished job under {study}; run the study first, e.g. scar study={study.name} …")
    return _typed(join_stored([read_stored(file) for file in files]))


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


def load_predictions(job: Path, arms: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read what `save_predictions` wrote for a job, by the names given there.

    Args:
        job: its folder.
        arms: names of those to read, beside what belongs to all; None reads all.

    Raises:
        CorruptArtefactError: it is damaged.
    """
    try:
        with ZipFile(job / PREDICTIONS) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            wanted = None if arms is None else {"labels", DEPLOYMENT_MIX, *arms}
            found = {name: _array(archive.read(f"{name}.npy")) for name in names if wanted is None or name in wanted}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise CorruptArtefactError(f"{job / PREDICTIONS} cannot be read: {error}; run its job again") from error
    return {name: each if name == DEPLOYMENT_MIX else each.astype(np.int64) for name, each in found.items()}


def _array(data: bytes) -> np.ndarray:
    """Return the array of a file of NumPy's; what ten thousand such files begin with is parsed once."""
    end = 10 + int.from_bytes(data[8:10], "little")
    if data[6:8] != b"\x01\x00":  # another version of the format, for unusual types
        return np.asarray(np.lib.format.read_array(BytesIO(data), allow_pickle=False))
    shape, by_columns, kind = _array_header(data[:end])
    return np.frombuffer(data, kind, offset=end).reshape(shape, order="F" if by_columns else "C")


@lru_cache(256)
def _array_header(begin: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    stream = BytesIO(begin)
    np.lib.format.read_magic(stream)
    return np.lib.format.read_array_header_1_0(stream)


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
