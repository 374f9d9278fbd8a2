from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scar.data.fetch import FetchError
from scar.data.sources.embeddings_file import EmbeddingsFile
from scar.encoders.embeddings.extraction import extract
from scar.encoders.precomputed import Precomputed
from scar.testing import check_encoder


def vectors(size: int = 40, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(size, 6)).astype(dtype)


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    np.save(tmp_path / "embeddings.npy", vectors())
    np.save(tmp_path / "labels.npy", np.arange(40) % 4)
    return tmp_path


def write_parquet(path: Path, matrix: Any, **columns: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = [None if row is None else [float(value) for value in row] for row in matrix]
    pq.write_table(pa.table({"embedding": pa.array(lists, pa.list_(pa.float32())), **columns}), path)


def test_arrays_parquet_and_safetensors_give_the_same_samples(arrays: Path) -> None:
    from safetensors.numpy import save_file

    labels = np.arange(40) % 4
    write_parquet(arrays / "all.parquet", vectors(), label=labels)
    save_file({"embedding": vectors(), "label": labels}, arrays / "all.safetensors")
    loaded = [EmbeddingsFile(root=str(arrays)).load(arrays)]
    for name in ("all.parquet", "all.safetensors"):
        loaded.append(EmbeddingsFile(root=str(arrays), file=name, labels_file=None).load(arrays))
    for samples in loaded:
        np.testing.assert_array_equal(np.stack(list(samples.payloads["embedding"])), vectors())
        np.testing.assert_array_equal(samples.labels, labels)  # type: ignore[arg-type]
        np.testing.assert_array_equal(samples.splits, loaded[0].splits)
        assert samples.class_names == ("0", "1", "2", "3")
    assert isinstance(loaded[0].payloads["embedding"], np.memmap)


def test_a_table_beside_the_array_names_classes_ids_groups_and_parts(arrays: Path) -> None:
    rows = [f"{'cat' if i % 2 else 'dog'},e{i},{'tr' if i < 30 else 'te'},g{i % 3}" for i in range(40)]
    (arrays / "about.csv").write_text("\n".join(["kind,key,part,group", *rows]))
    fields: dict[str, Any] = {"labels_file": "about.csv", "label": "kind", "id": "key", "split": "part"}
    parts: dict[str, Any] = {"train_values": ("tr",), "test_values": ("te",), "groups": ("group",)}
    samples = EmbeddingsFile(root=str(arrays), **fields, **parts).load(arrays)
    assert samples.class_names == ("cat", "dog")
    assert samples.ids[3] == "e3"
    assert (samples.splits == "test").tolist() == [False] * 30 + [True] * 10
    assert samples.groups["group"][4] == "g1"
    (arrays / "about.csv").write_text("\n".join(["kind,key,part,group", *rows, "cat,e3,tr,g0"]))
    np.save(arrays / "embeddings.npy", vectors(41))
    with pytest.raises(ValueError, match=r"about\.csv, line 42: the id 'e3' is that of .*line 5 already"):
        EmbeddingsFile(root=str(arrays), **fields, **parts).load(arrays)


def test_the_encoder_passes_the_vectors_on_or_scales_them(arrays: Path, tmp_path: Path) -> None:
    samples = EmbeddingsFile(root=str(arrays)).load(arrays)
    extracted = extract(samples, Precomputed(), tmp_path / "out", shard_size=16)
    np.testing.assert_array_equal(extracted.array(), vectors())
    scaled = check_encoder(Precomputed(normalize=True), list(vectors()))
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(scaled[3], vectors()[3] / np.linalg.norm(vectors()[3]), atol=1e-6)
    with pytest.raises(ValueError, match=r"a vector of zeros has no direction"):
        Precomputed(normalize=True).open()([np.zeros(3)])
    with pytest.raises(ValueError, match=r"vectors of one length, got the shapes \[\(3,\), \(4,\)\]"):
        Precomputed().open()([np.zeros(3), np.zeros(4)])


def test_half_precision_is_widened(arrays: Path) -> None:
    np.save(arrays / "embeddings.npy", vectors(dtype=np.float16))
    payload: Any = EmbeddingsFile(root=str(arrays)).load(arrays).payloads["embedding"]
    assert payload.dtype == np.float32


def spoil(folder: Path, what: str) -> dict[str, Any]:
    """Write one bad file and return the fields that read it."""
    matrix = vectors()
    match what:
        case "nan":
            matrix[7, 2] = np.nan
            np.save(folder / "embeddings.npy", matrix)
        case "shape":
            np.save(folder / "embeddings.npy", matrix[0])
        case "objects":
            np.save(folder / "embeddings.npy", np.array([{}], object), allow_pickle=True)
        case "cut":
            path = folder / "embeddings.npy"
            path.write_bytes(path.read_bytes()[:200])
        case "short":
            np.save(folder / "labels.npy", np.arange(39))
        case "floats":
            np.save(folder / "labels.npy", np.arange(40) / 2)
        case "lists":
            rows: list[Any] = list(matrix)
            rows[5] = rows[5][:4]
            write_parquet(folder / "all.parquet", rows, label=np.arange(40) % 4)
        case "null":
            write_parquet(folder / "all.parquet", [*matrix[:39], None], label=np.arange(40) % 4)
        case "column":
            write_parquet(folder / "all.parquet", matrix, kind=np.arange(40) % 4)
        case "tensor":
            from safetensors.numpy import save_file

            save_file({"features": matrix}, folder / "all.safetensors")
            return {"file": "all.safetensors", "labels_file": None}
        case "bytes":
            (folder / "all.safetensors").write_bytes(b"not a header")
            return {"file": "all.safetensors"}
    return {"file": "all.parquet", "labels_file": None} if what in ("lists", "null", "column") else {}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nan", r"embeddings\.npy hold NaN or infinite values in 1 of 40 rows \(7\)"),
        ("shape", r"embeddings\.npy must be an \[N, D\] matrix"),
        ("objects", r"embeddings\.npy cannot be read: .*Python objects"),
        ("cut", r"embeddings\.npy cannot be read"),
        ("short", r"embeddings\.npy has 40 rows, but .*labels\.npy has 39"),
        ("floats", r"labels\.npy: the labels are float64 numbers; ordinal or continuous"),
        ("lists", r"all\.parquet, row 6, column 'embedding': expected as many numbers as in row 1"),
        ("null", r"all\.parquet, row 40, column 'embedding': expected as many numbers"),
        ("column", r"all\.parquet: the column 'label' is missing"),
        ("tensor", r"all\.safetensors cannot be read: there is no tensor 'embedding', but features"),
        ("bytes", r"all\.safetensors cannot be read"),
    ],
)
def test_a_bad_file_is_named(arrays: Path, what: str, message: str) -> None:
    fields = spoil(arrays, what)
    with pytest.raises(ValueError, match=message):
        EmbeddingsFile(root=str(arrays), **fields).load(arrays)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"file": "a.pt"}, r"dataset\.file=a\.pt must end in \.npy, \.parquet or \.safetensors"),
        ({"labels_file": None}, r"dataset\.file=embeddings\.npy holds no labels"),
        ({"id": "key"}, r"the column 'key' needs a table"),
        ({"test_fraction": 1}, r"dataset\.test_fraction=1"),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingsFile(**fields)


def test_missing_files_are_named_with_the_way_out(arrays: Path, tmp_path: Path) -> None:
    (arrays / "labels.npy").unlink()
    with pytest.raises(FetchError, match=r"labels\.npy is not there; set dataset\.file and dataset\.labels_file"):
        EmbeddingsFile(root=str(arrays)).files(tmp_path)
    with pytest.raises(FetchError, match=r"nowhere is not a folder; point dataset\.root"):
        EmbeddingsFile(root=str(tmp_path / "nowhere")).files(tmp_path)
    with pytest.raises(ValueError, match=r"leaves the folder"):
        EmbeddingsFile(root=str(arrays), file="../embeddings.npy").files(tmp_path)


@pytest.mark.parametrize(
    "labels",
    [
        np.arange(40)[:, None] % 2,
        np.array([b"a", "é".encode()])[np.arange(40) % 2],
        (np.arange(40) % 2).astype(np.float32),
    ],
    ids=["column", "bytes", "floats"],
)
def test_labels_in_files_are_taken_as_in_python(arrays: Path, labels: np.ndarray) -> None:
    np.save(arrays / "labels.npy", labels)
    samples = EmbeddingsFile(root=str(arrays)).load(arrays)
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 1] * 20


def test_one_hot_labels_are_refused_as_in_python(arrays: Path) -> None:
    np.save(arrays / "labels.npy", np.eye(2)[np.arange(40) % 2])
    with pytest.raises(ValueError, match=r"labels\.npy: the labels are multi-label"):
        EmbeddingsFile(root=str(arrays)).load(arrays)


def test_bfloat16_is_widened(arrays: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file(
        {"embedding": torch.from_numpy(vectors()).bfloat16(), "label": torch.arange(40) % 2}, arrays / "a.safetensors"
    )
    samples = EmbeddingsFile(root=str(arrays), file="a.safetensors", labels_file=None).load(arrays)
    assert samples.payloads["embedding"].dtype == np.float32
    assert np.allclose(samples.payloads["embedding"], vectors(), rtol=1e-2)


@pytest.mark.parametrize("column", ["id", "groups", "split"])
@pytest.mark.parametrize("values", [[*map(float, range(40))], [None, *map(str, range(39))]], ids=["floats", "null"])
def test_ids_groups_and_parts_are_names_as_in_a_table(tmp_path: Path, column: str, values: list[Any]) -> None:
    write_parquet(tmp_path / "a.parquet", vectors(), label=[i % 2 for i in range(40)], name=values)
    given = {column: ("name",) if column == "groups" else "name"}
    with pytest.raises(ValueError, match=r"a\.parquet, row 1, column 'name': expected a text, found"):
        EmbeddingsFile(root=str(tmp_path), file="a.parquet", labels_file=None, **given).load(tmp_path)  # type: ignore[arg-type]


def test_files_that_are_not_used_are_named(arrays: Path) -> None:
    for name in ("splits", "ids", "groups", "other"):
        np.save(arrays / f"{name}.npy", np.arange(40))
    notes = EmbeddingsFile(root=str(arrays)).load(arrays).notes
    assert len(notes) == 1
    assert notes[0].startswith("groups.npy, ids.npy, splits.npy beside embeddings.npy not used")


def test_vectors_that_tell_nothing_apart_are_refused(arrays: Path) -> None:
    for matrix, message in ((np.ones((40, 6)), "are the same in all 40 rows"), (vectors() * 1e30, "squares overflow")):
        np.save(arrays / "embeddings.npy", matrix)
        with pytest.raises(ValueError, match=message):
            EmbeddingsFile(root=str(arrays)).load(arrays)
