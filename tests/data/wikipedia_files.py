"""Wikipedia as mysqldump writes its tables and WikiExtractor its articles."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOPICS = "topic,keyword\nSports,football*\nMusic,song*\nMusic,albums\nScience,physic*\n-,^articles\n"
CATEGORIES = {
    "sport": ["English_footballers", "Articles_with_songs"],
    "both": ["Football_songs", "Living_people"],
    "music": ["1999_songs", "Debut_albums"],
    "science": ['Physicists_from_O\'Higgins_\\"(x),"_region'],
    "none": ["Albumsish_things", "Villages"],
}
SCHEMA = {
    "page": ("page_id", "page_namespace", "page_title", "page_is_redirect", "page_random", "page_lang"),
    "categorylinks": ("cl_from", "cl_to", "cl_sortkey", "cl_type"),
    "linktarget": ("lt_id", "lt_namespace", "lt_title"),
    "new": ("cl_from", "cl_sortkey", "cl_type", "cl_target_id"),
}


def quoted(value: Any) -> str:
    if value is None or isinstance(value, int | float):
        return "NULL" if value is None else repr(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"').replace("\n", "\\n")
    return f"'{escaped}'"


def write_dump(path: Path, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    lines = ["-- MySQL dump 10.19\n", f"DROP TABLE IF EXISTS `{table}`;\n", f"CREATE TABLE `{table}` (\n"]
    lines += [f"  `{column}` varbinary(255) NOT NULL DEFAULT '',\n" for column in columns]
    lines += [f"  PRIMARY KEY (`{columns[0]}`)\n", ") ENGINE=InnoDB;\n", f"LOCK TABLES `{table}` WRITE;\n"]
    for start in range(0, len(rows), 7):
        values = ",".join("(" + ",".join(map(quoted, row)) + ")" for row in rows[start : start + 7])
        lines.append(f"INSERT INTO `{table}` VALUES {values};\n")
    text = "".join([*lines, "UNLOCK TABLES;\n", "-- Dump completed\n"])
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        file.write(text.encode())


def kinds(size: int) -> list[str]:
    """40 % sport, 20 % both, 20 % music, 10 % science, 10 % none."""
    pattern = ["sport", "both", "sport", "music", "sport", "both", "music", "sport", "science", "none"]
    return [pattern[i % 10] for i in range(size)]


def write_wikipedia(
    folder: Path, *, new: bool = False, size: int = 200, text: Callable[[int], str] = "Text é {}".format
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pages = [(100 + i, 0, f"Page_{i}", 0, 0.25, None) for i in range(size)]
    pages[0] = (100, 0, "Page_0", 1, 0.5, None)  # a redirect
    pages[10] = (110, 4, "Page_10", 0, 1e-05, "en")  # a page of another namespace
    write_dump(folder / "enwiki-20240101-page.sql.gz", "page", SCHEMA["page"], pages)
    links = [(100 + i, name) for i, kind in enumerate(kinds(size)) for name in CATEGORIES[kind]]
    links.append((9_999_999, "English_footballers"))  # of no article that was extracted
    path = folder / "enwiki-20240101-categorylinks.sql.gz"
    if new:
        titles = sorted({name for _, name in links})
        number = {name: 7 * i for i, name in enumerate(titles)}
        targets = [(number[name], 14, name) for name in titles] + [(1, 0, "Football_songs")]
        write_dump(folder / "enwiki-20240101-linktarget.sql.gz", "linktarget", SCHEMA["linktarget"], targets)
        write_dump(path, "categorylinks", SCHEMA["new"], [(page, "K\n'", "page", number[n]) for page, n in links])
    else:
        write_dump(path, "categorylinks", SCHEMA["categorylinks"], [(page, n, "K\n'", "page") for page, n in links])
    for start in range(0, size, 20):  # ten files in two folders
        file = folder / "extracted" / ("AA" if start < 100 else "AB") / f"wiki_{start // 20 % 5:02d}"
        file.parent.mkdir(parents=True, exist_ok=True)
        articles = [
            {"id": str(100 + i), "revid": "1", "url": "u", "title": f"Page {i}", "text": f"\n{text(i)}\n"}
            for i in range(start, start + 20)
        ]
        articles[3]["text"] = "" if start == 0 else articles[3]["text"]
        file.write_text("".join(json.dumps(article, ensure_ascii=start == 0) + "\n" for article in articles))
    (folder / "topics.csv").write_text(TOPICS)
