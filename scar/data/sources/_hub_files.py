"""Snapshots of dataset repositories of the Hugging Face hub: where they lie, and fetching them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants

from scar.data.fetch import OFFLINE, FetchError, offline

_DATA = (".parquet", ".arrow", ".jsonl", ".json", ".csv", ".tar", ".zip", ".txt")
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.\w+$")
_SECONDS = 10
"""How long the hub may be silent before it counts as out of reach."""


@dataclass(frozen=True)
class Snapshot:
    """The files of a dataset repository at a commit.

    Attributes:
        repo: id.
        revision: commit.
        patterns: of the files that are needed; empty takes all.
    """

    repo: str
    revision: str
    patterns: tuple[str, ...] = ()

    def local(self, beside: Path) -> Path:
        """Return the snapshot in the cache of the hub, without asking the hub.

        Args:
            beside: folder that was looked at before, for the message.

        Raises:
            FetchError: it is not there; the message says where it was sought and how to fetch it.
        """
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            folder = self._obtain(local_files_only=True)
            data_files(folder)
        except (LocalEntryNotFoundError, FetchError) as error:
            raise self._not_found(beside, f"{OFFLINE} is set" if offline() else str(error)) from error
        return folder

    def fetch(self, beside: Path) -> Path:
        """Download the snapshot into the cache of the hub.

        Raises:
            FetchError: the hub is out of reach, or the repository is gated.
        """
        from huggingface_hub.errors import GatedRepoError

        try:
            # A single question first: the download itself asks six times before it gives up on a silent network.
            huggingface_hub.HfApi().dataset_info(self.repo, revision=self.revision, timeout=_SECONDS)
            return self._obtain(etag_timeout=_SECONDS)
        except GatedRepoError as error:
            raise FetchError(
                f"{self.repo} is gated; accept its terms at https://huggingface.co/datasets/{self.repo}, then run "
                "`hf auth login` or set HF_TOKEN"
            ) from error
        except Exception as error:  # a silent network has another class in every release of the library
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise self._not_found(beside, reason) from error

    def _obtain(self, **options: Any) -> Path:
        wanted: dict[str, Any] = {
            "allow_patterns": list(self.patterns) or None,
            "ignore_patterns": ["*.md5", ".gitattributes"],
        }
        options |= {"repo_type": "dataset", "revision": self.revision}
        return Path(huggingface_hub.snapshot_download(self.repo, **wanted, **options))

    def _not_found(self, beside: Path, reason: str) -> FetchError:
        return FetchError(
            f"{self.repo} at revision {self.revision} is neither in {beside} nor in the cache of the hub, {huggingface_hub.constants.HF_HUB_CACHE} "
            f"({reason}).\nWhere the hub can be reached, fetch it by\n"
            f"  hf download {self.repo} --repo-type dataset --revision {self.revision}\n"
            "and copy that cache here (HF_HUB_CACHE names its folder), or point dataset.root at a folder of its files."
        )


def is_saved(folder: Path) -> bool:
    """Tell whether `save_to_disk` wrote the folder."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def data_files(folder: Path) -> list[Path]:
    """Return the files that decide the content.

    Raises:
        FetchError: there are none, or some shards are missing.
        ValueError: the dataset is made by a script.
    """
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    paths = [path for path in paths if ".cache" not in path.relative_to(folder).parts]
    data = [path for path in paths if path.suffix.lower() in _DATA or path.name == "README.md"]
    if not any(path.suffix.lower() in _DATA for path in data):
        if any(path.suffix == ".py" for path in paths):
            raise ValueError(
                f"{folder} holds a loading script and no data; scripts are not run. Use a revision with Parquet files: most "
                "repositories have a branch refs/convert/parquet, whose commit can be pinned"
            )
        raise FetchError(f"{folder} holds no data files ({', '.join(_DATA)})")
    _check_shards(data)
    return data


def _check_shards(paths: Sequence[Path]) -> None:
    """Refuse a set of shards ``…-00001-of-00004…`` that is not whole."""
    found: dict[tuple[Path, str, int], set[int]] = {}
    for path in paths:
        match = _SHARD.match(path.name)
        if match:
            found.setdefault((path.parent, match[1], int(match[3])), set()).add(int(match[2]))
    for (folder, prefix, total), there in found.items():
        missing = sorted(set(range(total)) - there)
        if missing:
            raise FetchError(
                f"{folder}: of the {total} shards {prefix}-…, {len(missing)} are missing, the first is {missing[0]:05d}; put "
                "the whole set there"
            )
