import io
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from scar.data.samples import Samples
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import extract
from scar.encoders.encoder import Embed, Encoder


def make_samples(payloads: Sequence[Any], modality: str = "text") -> Samples:
    n = len(payloads)
    return Samples(
        ids=np.array([f"s{i:03d}" for i in range(n)]),
        payloads={modality: payloads},
        labels=np.arange(n) % 2,
        class_names=("a", "b"),
        splits=np.array(["train"] * n),
        groups={},
    )


@dataclass(frozen=True, kw_only=True)
class Letters(Encoder):
    """Embeds a text as its length and its first letter; remembers its batches and stops at a marked text."""

    name: str = "letters"
    modality: str = "text"
    batch_size: int = field(default=3, metadata={"runtime": True})
    batches: list[list[str]] = field(default_factory=list)

    def weights(self) -> list[Path]:
        return []

    def open(self) -> Embed:
        def embed(texts: Sequence[str]) -> NDArray[np.float32]:
            if any("!" in text for text in texts):
                raise KeyboardInterrupt
            self.batches.append(list(texts))
            return np.array([[len(text), ord(text[0])] for text in texts], np.float32)

        return embed


TEXTS = ["b" * n for n in (5, 1, 9, 4, 2, 8, 3, 7, 6, 10, 12, 11)]
EXPECTED = np.array([[len(text), ord("b")] for text in TEXTS], np.float32)


@pytest.mark.parametrize("shard_size", [1, 5, 12, 100])
def test_rows_stand_in_the_order_of_the_samples(tmp_path: Path, shard_size: int) -> None:
    samples = make_samples(TEXTS)
    for embeddings in (extract(samples, Letters(), tmp_path, shard_size=shard_size), EmbeddingSet.load(tmp_path)):
        np.testing.assert_array_equal(embeddings.array(), EXPECTED)
        np.testing.assert_array_equal(embeddings.ids, samples.ids)
        assert (len(embeddings), embeddings.dimension) == (12, 2)
        rows = np.array([11, 0, 5, 5, 3])
        np.testing.assert_array_equal(embeddings.take(rows), EXPECTED[rows])
        assert embeddings.take(np.array([], np.int64)).shape == (0, 2)


def test_the_ids_are_those_of_the_rows_of_the_shards(tmp_path: Path) -> None:
    extract(make_samples(TEXTS), Letters(), tmp_path, shard_size=5)
    assert np.load(tmp_path / "ids.npy").tolist() == [f"s{i:03d}" for i in range(12)]
    rows = np.concatenate([np.load(tmp_path / f"shard-{shard:05d}.npy") for shard in range(3)])
    np.testing.assert_array_equal(rows, EXPECTED)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cost.json",
        "ids.npy",
        *(f"shard-{i:05d}.npy" for i in range(3)),
    ]


def test_texts_of_like_length_share_a_batch(tmp_path: Path) -> None:
    encoder = Letters()
    extract(make_samples(TEXTS), encoder, tmp_path)
    assert [[len(text) for text in batch] for batch in encoder.batches] == [
        [12, 11, 10],
        [9, 8, 7],
        [6, 5, 4],
        [3, 2, 1],
    ]


def test_an_interrupted_extraction_goes_on_where_it_stopped(tmp_path: Path) -> None:
    broken = [*TEXTS[:6], "!", *TEXTS[7:]]
    with pytest.raises(KeyboardInterrupt):
        extract(make_samples(broken), Letters(), tmp_path, shard_size=3)
    with pytest.raises(FileNotFoundError, match="no finished embeddings"):
        EmbeddingSet.load(tmp_path)
    encoder = Letters()
    embeddings = extract(make_samples(TEXTS), encoder, tmp_path, shard_size=3)
    assert sum(map(len, encoder.batches)) == 6
    np.testing.assert_array_equal(embeddings.array(), EXPECTED)


def test_shards_can_outlive_the_folder_that_they_are_for(tmp_path: Path) -> None:
    partial, final = tmp_path / "partial", tmp_path / "final"
    with pytest.raises(KeyboardInterrupt):
        extract(make_samples([*TEXTS[:9], "!!"]), Letters(), tmp_path / "lost", shard_size=4, partial=partial)
    assert not (tmp_path / "lost").exists()
    assert len(list(partial.glob("shard-*.npy"))) == 2
    with pytest.raises(ValueError, match="unfinished extraction of other samples or settings"):
        extract(make_samples(TEXTS), Letters(), final, shard_size=4, partial=partial)
    encoder = Letters()
    samples = make_samples([*TEXTS[:9], "bb"])
    embeddings = extract(samples, encoder, final, shard_size=4, partial=partial)
    assert encoder.batches == [["bb", TEXTS[8]][::-1]]
    np.testing.assert_array_equal(embeddings.array(), [*EXPECTED[:9], [2, ord("b")]])
    assert not partial.exists()


def test_finished_embeddings_are_not_written_over(tmp_path: Path) -> None:
    extract(make_samples(TEXTS), Letters(), tmp_path)
    with pytest.raises(ValueError, match="already holds embeddings"):
        extract(make_samples(TEXTS), Letters(), tmp_path)


@dataclass(frozen=True, kw_only=True)
class Given(Encoder):
    """Returns the rows of an array by number."""

    name: str = "given"
    modality: str = "text"
    rows: Any = None

    def weights(self) -> list[Path]:
        return []

    def open(self) -> Embed:
        return lambda payloads: self.rows[[int(p) for p in payloads]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_whose_embedding_is_not_finite_are_named(tmp_path: Path, bad: float) -> None:
    rows = np.zeros((20, 4), np.float32)
    rows[[3, 17], 2] = bad
    with pytest.raises(ValueError, match=r"encoder=given returned NaN or infinite values for 2 samples \(s003, s017\)"):
        extract(make_samples([f"{i:02d}" for i in range(20)]), Given(rows=rows), tmp_path)
    assert not list(tmp_path.glob("shard-*"))


@pytest.mark.parametrize("rows", [np.zeros((5, 2)), np.zeros((5, 2, 2), np.float32)], ids=["float64", "3-D"])
def test_an_encoder_that_breaks_its_contract_is_named(tmp_path: Path, rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"encoder=given returned .* for 5 samples; expected float32 \(5, D\)"):
        extract(make_samples(list("01234")), Given(rows=rows), tmp_path)


def test_nothing_to_embed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"shard_size=0 and the 12 samples must be at least 1"):
        extract(make_samples(TEXTS), Letters(), tmp_path, shard_size=0)
    with pytest.raises(ValueError, match=r"the 0 samples must be at least 1"):
        extract(make_samples([]), Letters(), tmp_path)


def test_an_encoder_of_another_modality_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="encoder=letters reads 'text', but the dataset has image"):
        extract(make_samples([np.zeros((2, 2))], "image"), Letters(), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["missing", "cut", "rows", "dimension", "manifest"])
def test_damaged_embeddings_are_named(tmp_path: Path, damage: str) -> None:
    extract(make_samples(TEXTS), Letters(), tmp_path, shard_size=5)
    shard = tmp_path / "shard-00001.npy"
    if damage == "missing":
        shard.unlink()
    elif damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-4])
    elif damage == "manifest":
        (tmp_path / "ids.npy").write_bytes(b"PAR1")
    else:
        np.save(shard, np.zeros((4, 2) if damage == "rows" else (5, 3), np.float32))
    with pytest.raises(ValueError, match=r"holds damaged embeddings.*delete"):
        EmbeddingSet.load(tmp_path)


def test_extraction_holds_one_shard_at_a_time(tmp_path: Path) -> None:
    whole = np.lib.format.open_memmap(tmp_path / "source.npy", "w+", np.float32, (8000, 1000))
    samples = make_samples([f"{i:04d}" for i in range(8000)])
    tracemalloc.start()
    extract(samples, Given(rows=whole), tmp_path / "out", shard_size=500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4 * whole.nbytes


def test_the_bar_shows_how_far_it_is_unless_told_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("scar.common.progress.errors", lambda: Console(file=stream, width=200))
    extract(make_samples(TEXTS), Letters(), tmp_path / "quiet")
    extract(make_samples(TEXTS), Letters(), tmp_path / "silent", progress=False)
    assert not stream.getvalue()
    extract(make_samples(TEXTS), Letters(), tmp_path / "loud", progress=True)
    assert "embedding with letters" in stream.getvalue()
    assert "12/12" in stream.getvalue()


def test_reading_embeddings_does_not_import_torch(tmp_path: Path) -> None:
    extract(make_samples(TEXTS), Letters(), tmp_path)
    code = (
        "import sys; from pathlib import Path; from scar.encoders.embeddings.embedding_set import EmbeddingSet\n"
        "EmbeddingSet.load(Path(sys.argv[1])).array()\n"
        "heavy = {'torch', 'timm', 'transformers', 'sklearn', 'pandas', 'onnxruntime'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_two_processes_share_the_shards_of_one_extraction(tmp_path: Path) -> None:
    from threading import Thread

    from scar.encoders.embeddings.extraction import embed_shards, merge_shards

    encoders = [Letters(), Letters()]
    threads = [
        Thread(target=embed_shards, args=(make_samples(TEXTS), each, tmp_path / "partial"), kwargs={"shard_size": 1})
        for each in encoders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(batch) for each in encoders for batch in each.batches) == len(TEXTS)  # none twice
    (tmp_path / "final").mkdir()
    merged = merge_shards(make_samples(TEXTS), Letters(), tmp_path / "partial", tmp_path / "final")
    np.testing.assert_array_equal(merged.array(), EXPECTED)


def test_an_extraction_that_another_process_has_finished_is_not_begun(tmp_path: Path) -> None:
    from scar.encoders.embeddings.extraction import embed_shards

    encoder = Letters()
    embed_shards(make_samples(TEXTS), encoder, tmp_path / "partial", finished=lambda: True)
    assert not encoder.batches
