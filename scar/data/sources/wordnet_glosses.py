"""WordNet 3.0 glosses: the definition of every noun synset, labelled with its lexicographer file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.common.types import Ints
from scar.data.checks import validate_samples
from scar.data.fetch import DamagedFile, from_root, locate, obtain, refetchable
from scar.data.package_origins import debian_package
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.stratify import draw_test_part, keep_sizes

LEXICOGRAPHER_FILES = {
    3 + i: f"noun.{name}"
    for i, name in enumerate(
        (
            *("Tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event"),
            *("feeling", "food", "group", "location", "motive", "object", "person", "phenomenon", "plant"),
            *("possession", "process", "quantity", "relation", "shape", "state", "substance", "time"),
        )
    )
}
"""Names by number, from the lexnames(5) page of WordNet."""

_FILES = ("data.noun",)
_INSTALLED = Path("/usr/share/wordnet")
_HEAD = re.compile(r"(\d{8}) (\d\d) n ")
_EXAMPLES = re.compile(r'\s*[;:]\s*"')
"""Examples follow the definition in quotes; quotes inside a definition have no such separator before them."""


@dataclass(frozen=True, kw_only=True)
class WordnetGlosses(Source):
    """Glosses of the nouns in classes that are large enough; a class-aware test part is drawn from `seed`.

    Attributes:
        test_fraction: share of the glosses that forms the test part.
        min_class_size: smallest class that is kept.
    """

    name: str = "wordnet_glosses"
    test_fraction: float = 0.2
    min_class_size: int = 300

    @property
    def modalities(self) -> tuple[str, ...]:
        """One payload per sample."""
        return ("text",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_share("test_fraction")
        self._require_least("min_class_size", 2)

    def files(self, data_dir: Path) -> list[Path]:
        """Return ``data.noun``: a local copy, or that of the Debian package."""
        if self.root is not None:
            return from_root(self.root, ("wordnet", "dict"), _FILES)
        local = locate([data_dir / "wordnet", data_dir, _INSTALLED], _FILES)
        origins = [debian_package("wordnet-base", "usr/share/wordnet")]
        return local or obtain(data_dir / "wordnet", _FILES, origins, dataset=self.name)

    def load(self, data_dir: Path) -> Samples:
        """Read the texts; ids are synsets such as ``00001740-n``."""
        (path,) = self.files(data_dir)
        with refetchable(self.root, data_dir):
            offsets, files, texts = read_glosses(path)
        sizes = np.bincount(files, minlength=max(LEXICOGRAPHER_FILES) + 1)
        kept_files = [number for number in LEXICOGRAPHER_FILES if sizes[number] >= self.min_class_size]
        if len(kept_files) < 2:
            raise ValueError(f"dataset.min_class_size={self.min_class_size} leaves {len(kept_files)} classes; lower it")
        dropped = [
            f"{LEXICOGRAPHER_FILES[n]} ({sizes[n]})" for n in LEXICOGRAPHER_FILES if n not in kept_files and sizes[n]
        ]
        class_rows = np.flatnonzero(np.isin(files, kept_files))
        labels = np.searchsorted(kept_files, files[class_rows]).astype(np.int64)
        splits = draw_test_part(labels, self.test_fraction, self.seed)
        rows = keep_sizes(labels, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed)
        samples = Samples(
            ids=np.array([f"{offset:08d}-n" for offset in offsets[class_rows[rows]]]),
            payloads={"text": [texts[row] for row in class_rows[rows]]},
            labels=labels[rows],
            class_names=tuple(LEXICOGRAPHER_FILES[number] for number in kept_files),
            splits=splits[rows],
            groups={},
            notes=(f"classes below dataset.min_class_size={self.min_class_size} left out: {', '.join(dropped)}",)
            if dropped
            else (),
        )
        return validate_samples(samples, name=self.name)


def read_glosses(path: Path) -> tuple[Ints, Ints, list[str]]:
    """Read a WordNet data file.

    Returns:
        [M] synset offsets, [M] lexicographer file numbers, [M] definitions without their examples.

    Raises:
        DamagedFile: a line is not what the format says. Each synset's offset is its position in the file,
            which shows damage of any kind.
    """
    offsets, files, texts = [], [], []
    position = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.startswith(b"  "):  # the licence at the top is indented
                synset, separator, gloss = line.decode("utf-8", "replace").partition(" | ")
                head = _HEAD.match(synset)
                if not head or int(head[1]) != position or not separator or not line.endswith(b"\n"):
                    raise DamagedFile(path, f"line {number} is not a whole synset of a WordNet data file")
                offsets.append(position)
                files.append(int(head[2]))
                texts.append(_EXAMPLES.split(gloss, maxsplit=1)[0].strip(" ;:\n"))
            position += len(line)
    return np.array(offsets, np.int64), np.array(files, np.int64), texts
