"""Embeddings that were computed elsewhere, with their labels: NumPy, Parquet or safetensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.data.checks import validate_embeddings, validate_samples
from scar.data.columns import check_unique, draw_part, encode_classes, parts_of
from scar.data.fetch import FetchError
from scar.data.paths import inside
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.stratify import keep_sizes
from scar.data.table_files import read_table


@dataclass(frozen=True, kw_only=True)
class EmbeddingsFile(Source):
    """A matrix [N, D] and one label per row; the encoder is ``precomputed``. Nothing is fetched.

    Attributes:
        file: ``.npy`` with the matrix; ``.parquet`` with a column of lists; ``.safetensors`` with a tensor.
        labels_file: of the labels and of the other columns: a table with as many rows, or a ``.npy`` of labels. None
            takes them from `file`, which a ``.npy`` cannot hold.
        embedding: column or tensor of the matrix.
        label: column or tensor of the classes: whole numbers or, in a table, names.
        id: column of unique ids; None numbers the rows.
        split: column of given parts; None draws a test part.
        groups: columns that `split.group` may name; the first of them also keeps a drawn test part apart.
        train_values: values of `split` that mean training.
        test_values: values of `split` that mean test.
        class_names: names of the classes 0..K-1; empty takes those of the data.
        test_fraction: share of the samples that forms the test part where none is given.
    """

    helpers: ClassVar[tuple[str, ...]] = (*Source.helpers, "scar.data.columns", "scar.data.table_files")

    name: str = "embeddings_file"
    file: str = "embeddings.npy"
    labels_file: str | None = "labels.npy"
    embedding: str = "embedding"
    label: str = "label"
    id: str | None = None
    split: str | None = None
    groups: tuple[str, ...] = ()
    train_values: tuple[str, ...] = ("train",)
    test_values: tuple[str, ...] = ("test",)
    class_names: tuple[str, ...] = ()
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in ("groups", "train_values", "test_values", "class_names"):
            object.__setattr__(self, each, tuple(getattr(self, each)))
        self._require_share("test_fraction")
        if Path(self.file).suffix not in (".npy", ".parquet", ".safetensors"):
            raise ValueError(f"dataset.file={self.file} must end in .npy, .parquet or .safetensors")
        if self.file.endswith(".npy") and self.labels_file is None:
            raise ValueError(f"dataset.file={self.file} holds no labels; name their file by dataset.labels_file")
        tabular = Path(self.labels_file or self.file).suffix not in (".npy", ".safetensors")
        given = [c for c in (self.id, self.split, *self.groups) if c is not None]
        if given and not tabular:
            raise ValueError(
                f"the column {given[0]!r} needs a table; name a CSV, JSON Lines or Parquet file by dataset.labels_file"
            )

    @property
    def modalities(self) -> tuple[str, ...]:
        """Vectors, which the encoder ``precomputed`` passes on."""
        return ("embedding",)

    def files(self, data_dir: Path) -> list[Path]:
        """Return the one or two files."""
        folder = Path(self.root).expanduser() if self.root is not None else data_dir / self.name
        names = [self.file, *([self.labels_file] if self.labels_file is not None else [])]
        if not folder.is_dir():
            raise FetchError(
                f"dataset={self.name}: {folder} is not a folder; point dataset.root at that of {self.file}"
            )
        paths = [inside(folder, name) for name in names]
        missing = next((path for path in paths if not path.is_file()), None)
        if missing is not None:
            raise FetchError(
                f"dataset={self.name}: {missing} is not there; set dataset.file and dataset.labels_file (null: the labels "
                "are in the same file)"
            )
        return paths

    def load(self, data_dir: Path) -> Samples:
        """Read the vectors (memory-mapped from ``.npy``) and the labels; ids count the rows from 0."""
        paths = self.files(data_dir)
        matrix: Any = validate_embeddings(_read_matrix(paths[0], self.embedding), name=str(paths[0]))
        columns, where = self._columns(paths[-1])
        if len(columns[self.label]) != len(matrix):
            raise ValueError(f"{paths[0]} has {len(matrix)} rows, but {paths[-1]} has {len(columns[self.label])}")
        labels, names = encode_classes(columns[self.label], self.class_names, where, column=self.label)
        ids = np.array(
            [str(v) for v in columns[self.id]] if self.id is not None else list(map(str, range(len(matrix))))
        )
        check_unique(ids, where)
        groups = {name: np.array([str(value) for value in columns[name]]) for name in self.groups}
        if self.split is not None:
            values = [str(value) for value in columns[self.split]]
            splits = parts_of(values, self.train_values, self.test_values, where, column=self.split)
        else:
            group = groups[self.groups[0]] if self.groups else None
            splits = draw_part(labels, group, len(labels), self.test_fraction, self.seed)
        samples = Samples(
            ids=ids, payloads={"embedding": matrix}, labels=labels, class_names=names, splits=splits, groups=groups
        )
        rows = keep_sizes(labels, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed)
        return validate_samples(samples if len(rows) == len(ids) else samples.take(rows), name=self.name)

    def _columns(self, path: Path) -> tuple[dict[str, Sequence[Any]], Any]:
        """Return the columns by name, and what names a row in messages."""
        if path.suffix in (".npy", ".safetensors"):
            values = _read_array(path, self.label)
            if values.ndim != 1 or values.dtype.kind not in "iubU":
                raise ValueError(
                    f"{path}: labels must be [N] whole numbers or names, got {values.dtype} {values.shape}"
                )
            return {self.label: values.tolist()}, lambda row: f"{path}, row {row}"
        wanted = [c for c in (self.label, self.id, self.split, *self.groups) if c is not None]
        table = read_table(path, list(dict.fromkeys(wanted)))
        return dict(table.columns), table.where


def _read_matrix(path: Path, column: str) -> NDArray[Any]:
    return _read_vectors(path, column) if path.suffix == ".parquet" else _read_array(path, column)


def _read_array(path: Path, name: str) -> NDArray[Any]:
    """Return the array of a ``.npy`` file, memory-mapped, or a tensor of a ``.safetensors`` file; no pickle is read."""
    try:
        if path.suffix == ".npy":
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as file:
                names = list(file.keys())
                if name not in names:
                    raise ValueError(f"there is no tensor {name!r}, but {', '.join(names)}")
                return np.asarray(file.get_tensor(name))
        except (SafetensorError, TypeError, AttributeError) as error:  # NumPy has no bfloat16
            raise ValueError(str(error)) from error
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _read_vectors(path: Path, column: str) -> NDArray[Any]:
    """Return a column of lists of one length as a matrix."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if column not in file.schema_arrow.names:
                raise ValueError(f"{path}: there is no column {column!r}, but {', '.join(file.schema_arrow.names)}")
            lists = file.read(columns=[column]).column(column).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a whole Parquet file: {error}") from error
    if not (
        pa.types.is_list(lists.type) or pa.types.is_fixed_size_list(lists.type) or pa.types.is_large_list(lists.type)
    ):
        raise ValueError(f"{path}, column {column!r} holds {lists.type}, not lists of numbers")
    lengths = np.asarray(lists.value_lengths().fill_null(-1))
    odd = np.flatnonzero(lengths != lengths[:1])
    if len(odd) or not len(lengths) or lengths[0] < 1:
        row = int(odd[0]) if len(odd) else 0
        raise ValueError(
            f"{path}, row {row + 1}, column {column!r}: expected as many numbers as in row 1, at least one"
        )
    return np.asarray(lists.flatten()).reshape(len(lengths), -1)
