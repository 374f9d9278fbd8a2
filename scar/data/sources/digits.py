"""The digits of scikit-learn: 1 797 grey images, 8 × 8, in 10 classes; they ship with the library."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from scar.data.checks import validate_samples
from scar.data.fetch import DamagedFile
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.stratify import draw_test_part, keep_sizes

_LEVELS = 16
"""The brightest value in the file; images are stretched to the usual 0..255."""


@dataclass(frozen=True, kw_only=True)
class Digits(Source):
    """The digits, with a class-aware test part drawn from `seed`.

    Attributes:
        test_fraction: share of the samples that forms the test part.
    """

    name: str = "digits"
    test_fraction: float = 0.2

    @property
    def modalities(self) -> tuple[str, ...]:
        """One payload per sample."""
        return ("image",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_share("test_fraction")

    def files(self, data_dir: Path) -> list[Path]:
        """Return the table inside scikit-learn, or ``digits.csv.gz`` in `root`; `data_dir` is not used."""
        if self.root is not None:
            path = Path(self.root).expanduser() / "digits.csv.gz"
        else:
            spec = find_spec("sklearn")
            if spec is None or spec.origin is None:
                raise FileNotFoundError(
                    "the digits ship with scikit-learn, which is not installed: pip install scikit-learn"
                )
            path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; point dataset.root at a folder that holds digits.csv.gz")
        return [path]

    def load(self, data_dir: Path) -> Samples:
        """Read the images as a uint8 array; ids are ``0000`` … ``1796``, in the order of the file."""
        path = self.files(data_dir)[0]
        try:
            table = np.loadtxt(path, delimiter=",", dtype=np.int64)
        except (EOFError, OSError, ValueError) as error:
            cure = {} if self.root is not None else {"cure": "install scikit-learn again"}
            raise DamagedFile(path, str(error), **cure) from error
        labels = table[:, -1]
        splits = draw_test_part(labels, self.test_fraction, self.seed)
        rows = keep_sizes(labels, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed)
        images = np.rint(table[:, :-1] * (255 / _LEVELS)).astype(np.uint8).reshape(-1, 8, 8)
        samples = Samples(
            ids=np.array([f"{row:04d}" for row in rows]),
            payloads={"image": images[rows]},
            labels=labels[rows],
            class_names=tuple("0123456789"),
            splits=splits[rows],
            groups={},
        )
        return validate_samples(samples, name=self.name)
