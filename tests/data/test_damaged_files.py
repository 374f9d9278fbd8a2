"""What a message asks of the user depends on whose file it is: no file of a user's own copy is to be deleted."""

import ast
import gzip
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cifar_files import write_cifar10

import scar
from scar.data.fetch import DamagedFile, refetchable
from scar.data.source import Source
from scar.data.sources.cifar import Cifar10
from scar.data.sources.digits import Digits
from scar.data.sources.fashion_mnist import FILES, FashionMnist
from scar.data.sources.wordnet_glosses import WordnetGlosses

ASKS_TO_DELETE = re.compile(r"\b(delet|remov|eras|unlink)", re.IGNORECASE)
ANEW = "delete it and run again to fetch it anew, or put a whole copy there"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-12])


@pytest.fixture
def data(tmp_path: Path, fashion: Path, wordnet: Path) -> Path:
    """A data folder with everything that a reader can find damaged."""
    write_cifar10(tmp_path / "cifar-10-batches-py", 20)
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "digits.csv.gz").write_bytes(gzip.compress(b"0,1,2\n" * 1000))
    return tmp_path


CASES: list[tuple[str, Callable[..., Source], str]] = [
    ("cifar", Cifar10, "cifar-10-batches-py/data_batch_2"),
    ("cifar", Cifar10, "cifar-10-batches-py/batches.meta"),
    ("fashion_mnist", FashionMnist, f"fashion_mnist/{FILES[0]}"),
    ("fashion_mnist", FashionMnist, f"fashion_mnist/{FILES[3]}"),
    ("wordnet_glosses", WordnetGlosses, "wordnet/data.noun"),
    ("digits", Digits, "digits/digits.csv.gz"),
]


@pytest.mark.parametrize(("module", "source", "name"), CASES, ids=[case[2] for case in CASES])
def test_a_file_of_ones_own_is_not_to_be_deleted(
    data: Path, tmp_path: Path, module: str, source: Any, name: str
) -> None:
    cut(data / name)
    with pytest.raises(DamagedFile) as caught:
        source(root=str((data / name).parent)).load(tmp_path / "other")
    message = str(caught.value)
    assert message.startswith(f"{data / name} is damaged: ")
    assert message.endswith("; put a whole copy there")
    assert not ASKS_TO_DELETE.search(message.removeprefix(str(data / name)))
    with pytest.raises(DamagedFile) as caught:  # also where that copy is the folder of fetched data
        source(root=str((data / name).parent)).load(data)
    assert str(caught.value) == message


FETCHED = [case for case in CASES if case[0] != "digits"]


@pytest.mark.parametrize(("module", "source", "name"), FETCHED, ids=[case[2] for case in FETCHED])
def test_a_fetched_file_may_be_deleted(data: Path, module: str, source: Any, name: str) -> None:
    cut(data / name)
    with pytest.raises(DamagedFile, match=rf"{name} is damaged: .*; {ANEW}$"):
        source().load(data)


def test_a_file_of_the_system_is_left_alone(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = tmp_path / "system"
    shutil.move(data / "fashion_mnist", system)
    monkeypatch.setattr("scar.data.sources.fashion_mnist._INSTALLED", system)
    cut(system / FILES[0])
    with pytest.raises(DamagedFile, match=r"; point dataset\.root at a whole copy$"):
        FashionMnist().load(tmp_path / "empty")


def test_what_is_no_damage_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="other"), refetchable(None, tmp_path):
        raise KeyError("other")


def _sources() -> dict[Path, ast.Module]:
    folder = Path(scar.__file__).parent / "data"
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))}


def _said(tree: ast.Module) -> list[str]:
    """Return the texts of a module that are no docstrings."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in alone]
    return [node.value for node in texts if isinstance(node.value, str)]


def test_only_the_fetching_speaks_of_deleting() -> None:
    asking = {path.name for path, tree in _sources().items() if any(map(ASKS_TO_DELETE.search, _said(tree)))}
    assert asking == {"fetch.py"}


def test_every_reader_that_finds_damage_is_among_the_cases() -> None:
    raising = {
        path.stem
        for path, tree in _sources().items()
        if "DamagedFile" in {getattr(n, "id", "") for n in ast.walk(tree)}
    }
    through = {"_python_batches": "cifar", "_idx": "fashion_mnist"}
    assert {through.get(stem, stem) for stem in raising} - {"fetch"} == {module for module, _, _ in CASES}
