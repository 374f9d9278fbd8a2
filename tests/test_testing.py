"""The contract checks: a package of a user that keeps the contract passes and runs, and every breach is found."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scar.testing
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources.digits import Digits
from scar.encoders.encoder import Embed, Encoder
from scar.encoders.pixels import Pixels
from scar.testing import ContractError, check_dataset, check_encoder

TEXTS = ["one", "two", "three", "four", "five"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package of the template, written out from the documentation of `scar.testing`."""
    documentation = str(scar.testing.__doc__)
    for block in re.split(r"^    # (?=mine/)", documentation, flags=re.MULTILINE)[1:]:
        name, _, body = block.partition("\n")
        lines = []
        for line in body.splitlines():
            if line.strip() and not line.startswith("    "):
                break
            lines.append(line[4:])
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))
    rows = [
        f"{'bad ' * (i % 7 + 1)}{i}\tnegative" if i % 2 else f"{'good ' * (i % 5 + 1)}{i}\tpositive" for i in range(200)
    ]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words.tsv").write_text("\n".join(rows))
    return tmp_path


def test_the_template_is_complete(package: Path) -> None:
    written = sorted(p.relative_to(package).as_posix() for p in (package / "mine").rglob("*") if p.is_file())
    assert written == [
        "mine/conf/dataset/words.yaml",
        "mine/conf/encoder/letters.yaml",
        "mine/letters.py",
        "mine/words.py",
    ]


def test_the_template_keeps_the_contract(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(package))
    from importlib import import_module

    source = import_module("mine.words").Words(root=str(package / "data"))
    samples = check_dataset(source, package)
    assert samples.class_names == ("negative", "positive")
    assert check_encoder(import_module("mine.letters").Letters(), samples.payloads["text"][:20]).shape == (20, 26)


@pytest.mark.parametrize(
    "search", ["file://{package}/mine/conf", pytest.param("pkg://mine.conf", marks=pytest.mark.slow)]
)
def test_the_template_runs_through_the_search_path(package: Path, search: str) -> None:
    (package / "mine" / "__init__.py").touch()
    (package / "mine" / "conf" / "__init__.py").touch()
    arguments = [
        *("dataset=words", f"dataset.root={package / 'data'}", f"hydra.searchpath=[{search.format(package=package)}]"),
        *("subsets=quick", "probe.max_epochs=3", "logger=csv", "study=mine"),
    ]
    result = subprocess.run(
        [sys.executable, "-m", "scar.commands.run", *arguments],
        cwd=package,
        env={**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(list(package.rglob("rows.parquet"))) == 1


def test_what_ships_keeps_the_contract(tmp_path: Path) -> None:
    samples = check_dataset(Digits(), tmp_path)
    assert check_encoder(Pixels(), samples.payloads["image"][:10]).shape == (10, 64)


@dataclass(frozen=True, kw_only=True)
class Wrong(Source):
    """A dataset of texts with one fault."""

    name: str = "wrong"
    fault: str = ""
    calls: list[int] = field(default_factory=list, compare=False, metadata={"runtime": True})

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("text", "image") if self.fault == "modalities" else ("text",)

    def files(self, data_dir: Path) -> list[Path]:
        path = data_dir / "data.txt"
        path.touch()
        return [] if self.fault == "files" else [path]

    def load(self, data_dir: Path) -> Samples:
        self.calls.append(1)
        size, again = 40, len(self.calls) > 1
        labels = np.arange(size) % 2
        texts: list[Any] = [f"text {i}" for i in range(size)]
        if self.fault == "types":
            texts = [text.encode() for text in texts]
        if self.fault == "content" and again:
            texts = texts[::-1]
        samples = Samples(
            ids=np.array([str(i + (1000 if self.fault == "ids" and again else 0)) for i in range(size)]),
            payloads={"text": texts},
            labels=1 - labels if self.fault == "labels" and again else labels,
            class_names=("a",) if self.fault == "classes" else ("a", "b"),
            splits=np.where(np.arange(size) < 30, "train", "test"),
            groups={},
        )
        if self.fault == "sizes":
            return samples
        train, test = self.train_size or 30, self.test_size or 10
        rows = np.concatenate([np.arange(train), 30 + np.arange(test)])
        kept = samples.take(rows)
        if self.fault == "moves" and train < 30:
            return replace(kept, splits=np.roll(kept.splits, 1))
        return kept


def test_the_dataset_with_no_fault_passes(tmp_path: Path) -> None:
    assert len(check_dataset(Wrong(), tmp_path)) == 40


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("modalities", r"modalities are \('text', 'image'\), but load\(\) gives payloads for \('text',\)"),
        ("files", r"files\(\) must return existing files, got \[\]"),
        ("ids", r"ids differ when load\(\) is called again"),
        ("labels", r"labels differ when load\(\) is called again"),
        ("content", r"payloads\['text'\]\[0\] has another content when it is read again"),
        ("types", r"payloads\['text'\]\[0\] is a bytes"),
        ("classes", r"wrong: labels\[1\]=1 lies outside"),
        ("sizes", r"train_size=15 leaves 30 samples"),
        ("moves", r"a sub-sample moves samples between the parts"),
    ],
)
def test_every_fault_of_a_dataset_is_found(tmp_path: Path, fault: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_dataset(Wrong(fault=fault), tmp_path)


@dataclass(frozen=True, kw_only=True)
class Faulty(Encoder):
    """An encoder of texts with one fault."""

    name: str = "faulty"
    modality: str = "text"
    fault: str = ""
    calls: list[int] = field(default_factory=list, compare=False, metadata={"runtime": True})

    def weights(self) -> Any:
        return {"weights": [Path("/nowhere")], "tuple": ()}.get(self.fault, [])

    def open(self) -> Embed:
        self.calls.append(1)
        opened = len(self.calls)

        def embed(texts: Sequence[Any]) -> Any:
            rows = np.array([[len(text), sum(map(ord, text))] for text in texts], np.float32)
            match self.fault:
                case "again":
                    self.calls.append(1)
                    return rows + len(self.calls)
                case "opened":
                    return rows + opened
                case "batch":
                    return rows - rows.mean(axis=0)
                case "order":
                    return rows if len(rows) == 1 or texts[0] == TEXTS[0] else rows[::-1]
                case "double":
                    return rows.astype(np.float64)
                case "nan":
                    return rows * np.nan
                case "constant":
                    return np.ones_like(rows)
                case "list":
                    return rows.tolist()
                case "missing":
                    return rows[1:]
            return rows

        return embed


def test_the_encoder_with_no_fault_passes() -> None:
    assert check_encoder(Faulty(), TEXTS).shape == (5, 2)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("weights", r"weights\(\) must return a list of existing files"),
        ("tuple", r"weights\(\) must return a list of existing files, empty for none, got \(\)"),
        ("again", "the same payloads give other embeddings the second time"),
        ("opened", "the encoder opened again gives other embeddings"),
        ("batch", "an embedding depends on what else is in the batch"),
        ("order", "the order of the payloads changes their embeddings"),
        ("double", r"embeddings must be float32 \[5, D\], got float64"),
        ("nan", "embeddings hold NaN"),
        ("constant", "different payloads all have one and the same embedding"),
        ("list", "embeddings must be a NumPy array, got list"),
        ("missing", r"embeddings must be float32 \[5, D\], got float32 \(4, 2\)"),
    ],
)
def test_every_fault_of_an_encoder_is_found(fault: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_encoder(Faulty(fault=fault), TEXTS)


@dataclass(kw_only=True)
class NotFrozen:
    name: str = "x"


@dataclass(frozen=True, kw_only=True)
class Unholdable(Pixels):
    """A field that no YAML can hold."""

    names: set[str] = field(default_factory=set)


def test_what_cannot_stand_in_a_configuration_is_found() -> None:
    with pytest.raises(ContractError, match=r"NotFrozen must be a subclass of Encoder"):
        check_encoder(NotFrozen(), TEXTS)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=r"a field has a type that a configuration cannot hold"):
        check_encoder(Unholdable(), [np.full((4, 4), i, np.uint8) for i in range(4)])
    with pytest.raises(ContractError, match=r"check the towers of image\+text one by one"):
        check_encoder(replace(Pixels(), modality="image+text"), [np.full((4, 4), i, np.uint8) for i in range(4)])


def test_a_check_over_equal_payloads_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least four payloads that differ"):
        check_encoder(Faulty(), ["same"] * 8)
