"""Wikipedia articles under the coarse topics of their categories: the 100 most frequent combinations of topics."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.data.checks import validate_samples
from scar.data.fetch import FetchError
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources._sql_dump import dump_columns, dump_rows
from scar.data.sources._topics import PACKAGED, Topics
from scar.data.stratify import draw_test_part, keep_sizes

_CACHED = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Wikipedia(Source):
    """The subset of the paper, built from a dump by the following steps.

    1. Sort the files of WikiExtractor (``--json``) by path and take the first `file_fraction` of them.
    2. Take their articles with a text, if ``page.sql`` has them in namespace 0 and not as a redirect.
    3. Put an article under a topic if one of its categories (``categorylinks.sql``) holds a keyword of that topic.
    4. Its label is the combination of all its topics. Articles without a topic are left out.
    5. Keep the `num_classes` most frequent combinations; of equally frequent ones, the first by name.
    6. Draw a class-aware test part of `test_fraction`.

    Since 2025 dumps name the categories in ``linktarget.sql``, which is read where ``categorylinks.sql`` refers to it.

    Attributes:
        topics_file: CSV with the columns topic and keyword; None takes the one of this package.
        file_fraction: share of the files of WikiExtractor that is read.
        num_classes: combinations of topics that are kept.
        test_fraction: share of the articles that forms the test part.
    """

    name: str = "wikipedia"
    topics_file: str | None = field(default=None, metadata={"runtime": True})
    file_fraction: float = 0.2
    num_classes: int = 100
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.file_fraction <= 1:
            raise ValueError(f"dataset.file_fraction={self.file_fraction} must lie in (0, 1]")
        if self.num_classes < 2:
            raise ValueError(f"dataset.num_classes={self.num_classes} must be at least 2")
        self._require_share("test_fraction")

    @property
    def modalities(self) -> tuple[str, ...]:
        """One payload per sample."""
        return ("text",)

    def files(self, data_dir: Path) -> list[Path]:
        """Return the topics, the tables of the dump and the articles, in this order; nothing is fetched."""
        topics, tables, articles = self._found(data_dir)
        return [topics, *tables.values(), *articles]

    def load(self, data_dir: Path) -> Samples:
        """Build the subset; ids are page ids. Texts are read when they are asked for."""
        topics_path, tables, paths = self._found(data_dir)
        topics = Topics.read(topics_path)
        articles = index_articles(paths)
        kept = _proper_pages(tables["page"], articles.ids)
        masks = _topics_of(tables, topics, articles.ids)
        masks[~kept] = 0
        classes, names = self._classes(masks, topics)
        rows = np.flatnonzero(np.isin(masks, classes))
        order = np.argsort(classes)
        labels = order[np.searchsorted(classes[order], masks[rows])].astype(np.int64)
        splits = draw_test_part(labels, self.test_fraction, self.seed)
        chosen = keep_sizes(labels, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed)
        samples = Samples(
            ids=articles.ids[rows[chosen]].astype(str),
            payloads={"text": articles.take(rows[chosen])},
            labels=labels[chosen],
            class_names=names,
            splits=splits[chosen],
            groups={},
            notes=(self._account(masks, kept, len(rows)),),
        )
        return validate_samples(samples, name=self.name)

    def _classes(self, masks: Ints, topics: Topics) -> tuple[Ints, tuple[str, ...]]:
        """Return the most frequent combinations [K] and their names."""
        found, counts = np.unique(masks[masks != 0], return_counts=True)
        names = [topics.name(int(mask)) for mask in found]
        if len(found) < self.num_classes:
            raise ValueError(
                f"dataset.num_classes={self.num_classes}, but the articles have only {len(found)} combinations of topics; "
                "lower it, read more files (dataset.file_fraction) or use more topics"
            )
        first = sorted(range(len(found)), key=lambda i: (-counts[i], names[i]))[: self.num_classes]
        return found[first], tuple(names[i] for i in first)

    def _account(self, masks: Ints, kept: NDArray[np.bool_], used: int) -> str:
        without = int(np.count_nonzero(kept & (masks == 0)))
        rarer = int(np.count_nonzero(masks)) - used
        return (
            f"of {len(masks)} articles, {int(np.count_nonzero(~kept))} are no articles of their own by page.sql, {without} "
            f"have no topic, and {rarer} have a rarer combination of topics; {used} are kept"
        )

    def _found(self, data_dir: Path) -> tuple[Path, dict[str, Path], list[Path]]:
        """Return the file of topics, the tables by name and the files of articles to read."""
        folder = self.local_root(data_dir)
        tables = {name: _table(folder, name) for name in ("page", "categorylinks")}
        articles = sorted(folder.rglob("wiki_*"))
        articles = [path for path in articles if path.is_file() and path.suffix == ""]
        missing = [f"{name}.sql.gz" for name, path in tables.items() if path is None]
        if missing or not articles:
            missing += [] if articles else ["the files wiki_00 … of WikiExtractor"]
            raise FetchError(
                f"dataset={self.name}: {folder} lacks {', '.join(missing)}. Take pages-articles, page, categorylinks "
                "(and linktarget) of one date from https://dumps.wikimedia.org/enwiki/, run `python -m "
                "wikiextractor.WikiExtractor --json -o extracted <pages-articles>` there, and point dataset.root at the folder"
            )
        whole = {name: path for name, path in tables.items() if path is not None}
        if "cl_to" not in dump_columns(whole["categorylinks"]):
            linktarget = _table(folder, "linktarget")
            if linktarget is None:
                raise FetchError(
                    f"{whole['categorylinks']} names categories by number; put linktarget.sql.gz of the same date beside it"
                )
            whole["linktarget"] = linktarget
        path = Path(self.topics_file).expanduser() if self.topics_file else PACKAGED
        if not path.is_file():
            raise FileNotFoundError(f"dataset.topics_file={self.topics_file} is not a file")
        return path, whole, articles[: max(1, math.ceil(self.file_fraction * len(articles)))]


@dataclass(frozen=True, eq=False)
class Articles(Sequence[str]):
    """Texts of WikiExtractor files by position; each is read when it is asked for.

    Attributes:
        paths: of the files.
        ids: [N] page ids.
        file: [N] index into `paths`.
        start: [N] byte where the line of the article begins.
    """

    paths: tuple[Path, ...]
    ids: Ints
    file: Ints
    start: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[int(index)]
        with self.paths[self.file[row]].open("rb") as file:
            file.seek(int(self.start[row]))
            text: str = json.loads(file.readline())["text"]
        return text.strip()

    def take(self, rows: Ints) -> Articles:
        """Return the articles at some positions."""
        return Articles(self.paths, self.ids[rows], self.file[rows], self.start[rows])


def index_articles(paths: Sequence[Path]) -> Articles:
    """Find the articles with a text; only one line is in memory.

    Raises:
        ValueError: a line is not an article as JSON, or an id comes twice; the message names file and line.
    """
    ids: list[int] = []
    places: list[tuple[int, int]] = []
    for file_index, path in enumerate(paths):
        position = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    article = json.loads(line)
                    page, text = int(article["id"]), article["text"].strip()
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise ValueError(
                        f"{path}, line {number} is not an article with id and text, as `WikiExtractor --json` writes it: "
                        f"{error}"
                    ) from error
                if text:
                    ids.append(page)
                    places.append((file_index, position))
                position += len(line)
    found = np.array(ids, np.int64)
    distinct, counts = np.unique(found, return_counts=True)
    if len(distinct) < len(found):
        raise ValueError(f"the page {distinct[counts > 1][0]} stands twice in {paths[0].parent}; extract the dump anew")
    where = np.array(places, np.int64).reshape(-1, 2)
    return Articles(tuple(paths), found, where[:, 0], where[:, 1])


def _proper_pages(path: Path, ids: Ints) -> NDArray[np.bool_]:
    """Tell which pages [N] lie in namespace 0 and are no redirects."""
    place = {page: row for row, page in enumerate(ids.tolist())}
    kept = np.zeros(len(ids), bool)
    for page, namespace, redirect in dump_rows(path, ("page_id", "page_namespace", "page_is_redirect")):
        row = place.get(int(page))
        if row is not None:
            kept[row] = namespace == b"0" and redirect == b"0"
    return kept


def _topics_of(tables: dict[str, Path], topics: Topics, ids: Ints) -> Ints:
    """Return the topics of the categories of each page [N] as bits."""
    place = {page: row for row, page in enumerate(ids.tolist())}
    masks = np.zeros(len(ids), np.int64)
    mask_of, column = lru_cache(_CACHED)(lambda title: topics.mask(title.decode("utf-8", "replace"))), "cl_to"
    if "linktarget" in tables:
        rows = dump_rows(tables["linktarget"], ("lt_id", "lt_namespace", "lt_title"))
        by_number = {number: mask for number, ns, title in rows if ns == b"14" and (mask := mask_of(title))}
        mask_of, column = lru_cache(0)(lambda number: by_number.get(number, 0)), "cl_target_id"
    for page, category in dump_rows(tables["categorylinks"], ("cl_from", column)):
        row = place.get(int(page))
        if row is not None:
            masks[row] |= mask_of(category)
    return masks


def _table(folder: Path, name: str) -> Path | None:
    """Return the dump of a table, such as ``enwiki-20240101-page.sql.gz``."""
    if not folder.is_dir():
        return None
    ends = tuple(f"{start}{name}.sql{end}" for start in ("-", "") for end in ("", ".gz"))
    found = sorted(p for p in folder.iterdir() if p.name in ends or p.name.endswith(ends[:2]))
    if len(found) > 1:
        raise ValueError(
            f"{folder} holds several dumps of the table {name}: {', '.join(p.name for p in found)}; keep one"
        )
    return found[0] if found else None
