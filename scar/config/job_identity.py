"""The identity of a job: its settings, the content of what it reads, and where that lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scar.config.schema import OPTIONAL, Config
from scar.data.fingerprint import fingerprint
from scar.data.paths import data_folder
from scar.data.remote import is_remote
from scar.encoders.encoder import Encoder
from scar.store.keys import identity
from scar.store.store import MEMO

LETTERS = 16
"""Of a digest in the name of a job."""

_contents: dict[str, str] = {}
# What this process has found, by what was asked: the jobs of a sweep mostly read the same.


@dataclass(frozen=True, kw_only=True)
class JobIdentity:
    """What makes a job the same one.

    Attributes:
        settings: digest of the configuration without what cannot change a number.
        content: digest of the files of the dataset and of the weights of the encoders; empty where one is not there.
        place: digest of where the dataset lies: the same place with another content is a later version of the data.
    """

    settings: str
    content: str
    place: str

    @property
    def name(self) -> str:
        """The name of the folder of the job."""
        return f"{self.settings}-{self.content or f'at-{self.place}'}"

    def owns(self, recorded: Mapping[str, Any]) -> bool:
        """Tell whether a folder whose record holds this identity may be written by the job.

        It may where the record holds none, where both are the same job, and where the data have changed in their place.
        """
        same = {name: recorded.get(name) == value for name, value in asdict(self).items()}
        return not recorded or (same["settings"] and (same["content"] or same["place"]))


def job_identity(config: Config, *, fresh: bool = False) -> JobIdentity:
    """Return the identity of a job; data that are missing are fetched, as the job would do.

    Args:
        config: of the job.
        fresh: look at the files again, not only at what this process has found before.
    """
    return JobIdentity(settings=_settings(config), content=_content(config, fresh=fresh), place=_place(config))


def _settings(config: Config) -> str:
    plain = {name: value for name, value in identity(config).items() if name not in OPTIONAL or value}
    return digest(plain)


def digest(value: Any) -> str:
    """Return the digest of plain values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LETTERS]


def _content(config: Config, *, fresh: bool) -> str:
    """Return the digest of everything outside the configuration that a job reads.

    What cannot be found has none; the job then fails with the reason.
    """
    encoders = _encoders(config)
    asked = repr((config.dataset, config.paths.data_dir, encoders, Path.cwd()))
    if fresh or asked not in _contents:
        memo = Path(config.paths.store_dir) / MEMO
        try:
            files = [config.dataset.files(data_folder(config.paths.data_dir)), *(each.weights() for each in encoders)]
            _contents[asked] = digest([fingerprint(paths, memo=memo, remember=False) for paths in files])
        except Exception:
            _contents[asked] = ""
    return _contents[asked]


def _encoders(config: Config) -> list[Encoder]:
    voters = config.completion.voters(config.encoder, config.probed)
    towers = [each.towers() for each in (config.encoder, *voters)]
    return [each[name] for each in towers for name in config.modalities if name in each]


def _place(config: Config) -> str:
    root = config.dataset.root
    where = root if root is None or is_remote(root) else str(Path(root).expanduser().absolute())
    return digest([repr(config.dataset), where, str(data_folder(config.paths.data_dir).absolute())])
