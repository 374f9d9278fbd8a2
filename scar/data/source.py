"""What every data source has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from scar.common.named import Named
from scar.data.remote import copied, is_remote
from scar.data.samples import Samples


@dataclass(frozen=True, kw_only=True)
class Source(Named, ABC):
    """A dataset by configuration; a new one is a subclass in a file of its own and a YAML that names it.

    Attributes:
        root: folder of a local copy. Nothing is fetched when it is set; what is remote is copied (`scar.data.remote`).
        seed: of the draws that belong to the dataset: its sub-sample, and its test part if none is given.
        train_size: training samples to keep, drawn class-aware, or None for all.
        test_size: test samples to keep, drawn class-aware, or None for all.
        on_error: what to do with a sample that cannot be read: ``"raise"``, or ``"skip"``, which tries all of them
            once and lists those that it drops.
        max_unreadable: largest share of samples that may be skipped.
    """

    remote: ClassVar[bool] = False
    """Whether `root` may be remote, such as ``s3://bucket/photos``."""

    root: str | None = field(default=None, metadata={"runtime": True})
    seed: int = 0
    train_size: int | None = None
    test_size: int | None = None
    on_error: str = "raise"
    max_unreadable: float = 0.01

    def __post_init__(self) -> None:
        if is_remote(self.root) and not self.remote:
            raise ValueError(
                f"dataset.root={self.root} is remote, and dataset={self.name} reads a folder of this machine; copy it, or read "
                "it by dataset=table, image_folder, webdataset or embeddings_file"
            )
        for part in ("train_size", "test_size"):
            size = getattr(self, part)
            if size is not None and size < 1:
                raise ValueError(f"dataset.{part}={size} must be at least 1, or null for all samples")
        if self.on_error not in ("raise", "skip"):
            raise ValueError(f"dataset.on_error={self.on_error!r} is unknown; use raise or skip")
        if not 0 <= self.max_unreadable <= 1:
            raise ValueError(f"dataset.max_unreadable={self.max_unreadable} must be a share in [0, 1]")

    def local_root(
        self, data_dir: Path, wanted: Callable[[str], bool] = lambda name: True, *, beside: bool = False
    ) -> Path:
        """Return `root` on this machine, or the usual folder where there is none; see `scar.data.remote.copied`."""
        if self.root is None:
            return data_dir / self.name
        if is_remote(self.root):
            return copied(self.root, data_dir, wanted, beside=beside)
        return Path(self.root).expanduser()

    def _require_share(self, name: str) -> None:
        """Refuse a field that is no share strictly between 0 and 1."""
        if not 0 < getattr(self, name) < 1:
            raise ValueError(f"dataset.{name}={getattr(self, name)} must lie strictly between 0 and 1")

    def _require_least(self, name: str, least: int) -> None:
        """Refuse a field below the least that makes sense."""
        if getattr(self, name) < least:
            raise ValueError(f"dataset.{name}={getattr(self, name)} must be at least {least}")

    @property
    @abstractmethod
    def modalities(self) -> tuple[str, ...]:
        """The modalities of its payloads, ``("image",)`` or ``("image", "text")``, known before any file is read."""

    @property
    def several_labels(self) -> bool:
        """Whether a sample may carry several labels, or none; known before any file is read."""
        return False

    @property
    def pools_unlabelled(self) -> bool:
        """Whether samples without a label form a pool, from which a plan chooses those to label next."""
        return False

    @abstractmethod
    def files(self, data_dir: Path) -> list[Path]:
        """Return the files that the content depends on, fetching those that are missing.

        Raises:
            FileNotFoundError: they are not there and could not be fetched; the message says what was tried
                and how to point to a copy.
        """

    def located(self, data_dir: Path) -> list[Path]:
        """Return files or folders that show that the data are there; a source whose `files` reads much looks less here.

        Raises:
            FileNotFoundError: they are not there.
        """
        return self.files(data_dir)

    def without_faults(self, train_size: int, seed: int) -> Source | None:
        """Return a small dataset of the same kind without planted faults; None where none are planted."""
        return None

    @abstractmethod
    def load(self, data_dir: Path) -> Samples:
        """Read the samples, checked by `scar.data.checks.validate_samples`."""
