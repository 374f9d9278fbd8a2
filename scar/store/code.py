"""What the code of a stage is: the closure of its imports, found in the sources and never listed by hand.

A stage is a function; what it uses of its own module is followed name by name, and every module that these names, or
the classes of its configuration, come from is followed import by import: at the top, inside functions, and for
annotations, because an object whose class is only annotated brings its methods along. Comments, docstrings and the
places of modules do not count, so that a file can be moved without making anything stale.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scar.common.files import CorruptArtefactError, checksum, read_json, write_json
from scar.store._parsing import PACKAGE, Module, Parsed, define, modules_of, packages_of, parse

REMEMBERED = 4000
"""Modules of the memo, the latest ones: each state of a module is one."""
STALE = 3600.0
"""Seconds after which a temporary file belongs to no process any more."""


class Code:
    """Sources of this process.

    Args:
        read: returns the content of a file.
        memo: JSON file that remembers what modules were found to be by the digest of their content; None for none.
    """

    def __init__(self, read: Callable[[Path], bytes] = Path.read_bytes, memo: Path | None = None) -> None:
        self._read, self._memo = read, memo
        self._known: dict[str, Any] = {} if memo is None else _read_memo(memo)
        self._parsed: dict[Module, Parsed] = {}
        self._defined: dict[Module, dict[str, list[Parsed]]] = {}
        self._imported: dict[Module, set[Module]] = {}
        self._versions: dict[tuple[Callable[..., Any], ...], str] = {}

    def version(self, roots: Iterable[Callable[..., Any]]) -> str:
        """Return the digest of everything that functions and classes are made of.

        Args:
            roots: a function counts with what it uses of its module, a class with the whole of its module.
        """
        roots = tuple(roots)
        if roots not in self._versions:
            known = len(self._known)
            own, modules = self._follow(roots)
            parts = {self._part(parsed, module) for parsed, module in own}
            parts |= {self._part(self.parse(module), module) for module in modules}
            self._versions[roots] = hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]
            if self._memo is not None and len(self._known) > known:
                _write_memo(self._memo, dict(list(self._known.items())[-REMEMBERED:]))
        return self._versions[roots]

    def closure(self, roots: Iterable[Callable[..., Any]]) -> set[str]:
        """Return the names of the modules that functions and classes reach, without those of the functions."""
        return {module.name for module in self._follow(roots)[1]}

    def parse(self, module: Module) -> Parsed:
        """Return a module that has a source, as it is."""
        if module not in self._parsed:
            content = self._read(module.source())
            name = f"{hashlib.sha256(content).hexdigest()}:{module.name}"
            if self._memo is None or name not in self._known:
                found = parse(ast.parse(content).body, module)
                self._known[name] = [found.digest, found.imports]
            digest, imports = self._known[name]
            self._parsed[module] = Parsed(digest, tuple(map(tuple, imports)))
        return self._parsed[module]

    def _part(self, parsed: Parsed, module: Module) -> str:
        """Return what statements add to a version: themselves, and what lies behind the names that they import.

        A module of the user counts under its name, one of this package does not, so that it can be moved.
        """
        behind = (f"{name}={self.parse(each).digest}" for name, each in modules_of(parsed, module).items())
        return " ".join([parsed.digest, "" if module.top == PACKAGE else module.name, *sorted(behind)])

    def _follow(self, roots: Iterable[Callable[..., Any]]) -> tuple[list[tuple[Parsed, Module]], set[Module]]:
        """Return the statements that define functions, each with its module, and the modules that all roots reach."""
        own: list[tuple[Parsed, Module]] = []
        waiting: list[Module] = []
        for root in roots:
            module = Module.of(root)
            if isinstance(root, type):
                waiting.append(module)
            else:
                own += [(parsed, module) for parsed in self._used(module, root.__qualname__.partition(".")[0])]
        waiting += [each for parsed, module in own for each in modules_of(parsed, module).values()]
        found: set[Module] = set()
        while waiting:
            module = waiting.pop()
            if module not in found:
                found.add(module)
                if module not in self._imported:
                    imported = modules_of(self.parse(module), module).values()
                    self._imported[module] = {*imported, *packages_of(module)}
                waiting += self._imported[module]
        return own, found

    def _used(self, module: Module, first: str) -> list[Parsed]:
        """Return what defines a name of a module, and the names of the module that this uses, and so on."""
        if module not in self._defined:
            self._defined[module] = define(ast.parse(self._read(module.source())), module)
        defined = self._defined[module]
        if first not in defined:
            raise ValueError(f"{first} is not defined at the top of the module {module.name}; define it there")
        waiting, seen = {first}, set[str]()
        while waiting - seen:
            name = (waiting - seen).pop()
            seen.add(name)
            waiting |= {used for parsed in defined[name] for used in parsed.names} & defined.keys()
        return [parsed for name in seen for parsed in defined[name]]


@cache
def sources() -> Code:
    """Return the sources of this process, read once."""
    from platformdirs import user_cache_path

    return Code(memo=user_cache_path("scar") / "code.json")


def classes_of(value: Any) -> Iterator[type]:
    """Yield the classes of the dataclass objects that a configuration holds, itself included."""
    if is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for each in fields(value):
            yield from classes_of(getattr(value, each.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from classes_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from classes_of(item)


def _read_memo(memo: Path) -> dict[str, Any]:
    """Return what a memo knows; nothing where it was written by another reader, or is damaged."""
    try:
        content = read_json(memo)
        known = content["known"] if content["reader"] == _reader() else {}
        whole = all(isinstance(digest, str) and isinstance(imports, list) for digest, imports in known.values())
    except (CorruptArtefactError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    return known if whole else {}


def _write_memo(memo: Path, known: Mapping[str, Any]) -> None:
    """Write the memo where that is allowed; without it the next process reads the sources again."""
    with suppress(OSError):
        memo.parent.mkdir(parents=True, exist_ok=True)
        for left in memo.parent.glob(f".*{memo.name}"):  # of a process that died while it wrote
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()
        write_json(memo, {"reader": _reader(), "known": known})


@cache
def _reader() -> str:
    """Return what decides how a module is read: the code that reads it, and the version of Python."""
    return f"{checksum(Path(__file__).with_name('_parsing.py'))[:16]}:{sys.version}"
