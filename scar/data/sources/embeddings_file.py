"""Embeddings that were computed elsewhere, with their labels: NumPy, Parquet or safetensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tokenize import TokenError
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from scar.common.mapped import Listed, numbered
from scar.data.arrays import as_column, to_numpy
from scar.data.checks import require_spread, validate_embeddings
from scar.data.fetch import FetchError
from scar.data.label_sets import read_labels
from scar.data.labels import LabelRules, label_rules
from scar.data.names import texts
from scar.data.paths import inside
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources._columns import check_unique, finish, parts_of
from scar.data.sources._table_files import read_table

_BROKEN = (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError, TokenError)
# What NumPy raises for headers that it parses as Python.

_COLUMNS = frozenset(("id", "ids", "split", "splits", "part", "parts", "group", "groups", "names", "class_names"))
_COLUMNS |= {f"{part}_{kind}" for part in ("train", "test", "val") for kind in ("embeddings", "labels")}


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
        labels: what the values of `label` mean.
        test_fraction: share of the samples that forms the test part where none is given.
    """

    remote: ClassVar[bool] = True

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
    labels: LabelRules = field(default_factory=LabelRules)
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in ("groups", "train_values", "test_values", "class_names"):
            object.__setattr__(self, each, tuple(getattr(self, each)))
        object.__setattr__(self, "labels", label_rules(self.labels))
        self._require_share("test_fraction")
        if Path(self.file).suffix not in (".npy", ".parquet", ".safetensors"):
            archive = "; save the arrays of an .npz as .npy each" if self.file.endswith(".npz") else ""
            raise ValueError(f"dataset.file={self.file} must end in .npy, .parquet or .safetensors{archive}")
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

    @property
    def several_labels(self) -> bool:
        """Whether `labels` says so."""
        return self.labels.several

    @property
    def pools_unlabelled(self) -> bool:
        """Whether `labels` says so."""
        return self.labels.on_unlabelled == "pool"

    def files(self, data_dir: Path) -> list[Path]:
        """Return the one or two files."""
        names = [self.file, *([self.labels_file] if self.labels_file is not None else [])]
        folder = self.local_root(data_dir, lambda name: name in names)
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
        require_spread(matrix, str(paths[0]))
        columns, where, notes = self._columns(paths[-1])
        if len(columns[self.label]) != len(matrix):
            raise ValueError(f"{paths[0]} has {len(matrix)} rows, but {paths[-1]} has {len(columns[self.label])}")
        classes = read_labels(
            columns[self.label],
            self.class_names,
            lambda row: f"{where(row)}, column {self.label!r}: the label",
            self.labels,
        )
        ids = np.array(texts(columns[self.id], where, self.id, names=True)) if self.id else numbered(len(matrix))
        check_unique(ids, where)
        splits = None
        if self.split is not None:
            values = texts(columns[self.split], where, self.split)
            splits = parts_of(values, self.train_values, self.test_values, where, column=self.split)
        return finish(
            self,
            {"embedding": matrix},
            classes,
            rules=self.labels,
            splits=splits,
            ids=ids,
            groups={name: np.array(texts(columns[name], where, name, names=True)) for name in self.groups},
            fraction=self.test_fraction,
            notes=[*notes, *_unused(paths[0].parent, paths)],
        )

    def _columns(self, path: Path) -> tuple[dict[str, Sequence[Any]], Any, tuple[str, ...]]:
        """Return the columns by name, what names a row in messages, and what was found out about the file."""
        if path.suffix in (".npy", ".safetensors"):
            array = _whole(_read_array(path, self.label))
            if self.labels.several:
                if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biuf":
                    raise ValueError(
                        f"{path}: labels of shape {array.shape} and type {array.dtype}, where dataset.labels.several=true reads "
                        "zeros and ones, a column per label"
                    )
                return {self.label: array}, lambda row: f"{path}, row {row}", ()  # type: ignore[dict-item]
            if array.ndim == 2 and array.shape[1] > 1:
                raise ValueError(
                    f"{path}: the labels are multi-label (shape {array.shape}); dataset.labels.several=true reads zeros and "
                    "ones, a column per label"
                )
            values = as_column(array, f"{path}: the labels")
            return {self.label: Listed(values)}, lambda row: f"{path}, row {row}", ()
        wanted = [c for c in (self.label, self.id, self.split, *self.groups) if c is not None]
        table = read_table(path, list(dict.fromkeys(wanted)))
        return dict(table.columns), table.where, table.notes


def _whole(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels that are whole numbers as integers, as a column of a table would be read."""
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        return labels.astype(np.int64)
    return labels


def _unused(folder: Path, used: Sequence[Path]) -> list[str]:
    """Say which files beside the embeddings look as if they belonged to them."""
    beside = sorted(path.name for path in folder.glob("*.npy") if path.name not in {each.name for each in used})
    meant = [name for name in beside if Path(name).stem.casefold() in _COLUMNS]
    if not meant:
        return []
    return [
        f"{', '.join(meant)} beside {used[0].name} not used: columns are read from a table, by dataset.labels_file with "
        "dataset.id, dataset.split and dataset.groups"
    ]


def _read_matrix(path: Path, column: str) -> NDArray[Any]:
    if path.suffix != ".parquet":
        return _read_array(path, column)
    from scar.data.sources._parquet import read_vectors

    return read_vectors(path, column)


def _read_array(path: Path, name: str) -> NDArray[Any]:
    """Return the array of a ``.npy`` file, memory-mapped, or a tensor of a ``.safetensors`` file; no pickle is read."""
    try:
        if path.suffix == ".npy":
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            if not isinstance(array, np.ndarray):
                raise ValueError("it is an archive (.npz) under another name; save its arrays as .npy each")
            return array
        try:
            with safe_open(path, framework="np") as file:
                names = list(file.keys())
                if name not in names:
                    raise ValueError(f"there is no tensor {name!r}, but {', '.join(names)}")
                if file.get_slice(name).get_dtype() != "BF16":
                    return np.asarray(file.get_tensor(name))
            with safe_open(path, framework="pt") as file:  # NumPy has no bfloat16
                return to_numpy(file.get_tensor(name))
        except (SafetensorError, TypeError, AttributeError) as error:
            raise ValueError(str(error)) from error
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
