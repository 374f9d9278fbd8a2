"""Reading a module: a digest of what it does, and the modules of ours that it imports."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = __name__.partition(".")[0]
"""The package whose modules are named by what they hold, wherever they lie."""
COLUMN = frozenset({f"{PACKAGE}.job.algorithm", f"{PACKAGE}.job.job"})
"""Modules of handles: what these are made by is in their keys, upstream of whatever reads them."""

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """A module by its dotted name, and the folder that its name begins in."""

    base: Path
    name: str

    @property
    def top(self) -> str:
        """The package, or the lone module, that it belongs to."""
        return self.name.partition(".")[0]

    def source(self) -> Path:
        """Return its file; of a package, ``__init__.py``."""
        path = f"{self.base}/{self.name.replace('.', '/')}"
        package = f"{path}/__init__.py"
        return Path(package if os.path.isfile(package) else f"{path}.py")  # noqa: PTH113  ten times as fast

    def has_source(self) -> bool:
        """Tell whether it is there."""
        return self.source().is_file()

    @classmethod
    def of(cls, made: Callable[..., Any]) -> Module:
        """Return the module that a function or a class was defined in.

        Raises:
            ValueError: it has no source file, e.g. because it was defined at a prompt.
        """
        name, file = made.__module__, getattr(sys.modules.get(made.__module__), "__file__", None)
        if file is None:
            raise ValueError(
                f"{name}.{made.__qualname__} has no source file; define it in a module, so that it has a key"
            )
        path = Path(file).resolve()
        return cls(path.parents[name.count(".") + (path.name == "__init__.py")], name)


@dataclass(frozen=True)
class Parsed:
    """Statements as they were read: a whole module, or what defines one of its names.

    Attributes:
        digest: of the statements.
        imports: for each name that they bind by an import, the name and the modules that it may come from, the
            likeliest first.
        names: what they use of their own module.
    """

    digest: str
    imports: tuple[tuple[str, ...], ...]
    names: frozenset[str] = frozenset()


def parse(statements: Sequence[ast.stmt], module: Module) -> Parsed:
    """Return the digest of some statements of a module, what they import of ours, and the names that they use.

    The statements are changed: what is a constant alone (docstrings) goes, and so do the places that names of this
    package are imported from; `scar.store.code` counts what lies there instead.
    """
    imports: dict[tuple[str, ...], None] = {}
    names: set[str] = set()
    digest = hashlib.sha256()
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                imports |= {(name, *origins): None for name, origins in _imports(node, module)}
                if isinstance(node, ast.ImportFrom) and _origin(node, module).partition(".")[0] == PACKAGE:
                    node.module, node.level = PACKAGE, 0
            elif isinstance(body := getattr(node, "body", None), list):
                node.body = [each for each in body if not _is_constant(each)]  # type: ignore[attr-defined]
        of_ours = isinstance(statement, ast.ImportFrom) and statement.module == PACKAGE
        if not of_ours and not _is_constant(statement):  # the order of imports is that of their places
            digest.update(ast.dump(statement).encode())
    return Parsed(digest.hexdigest()[:16], tuple(imports), frozenset(names))


def define(tree: ast.Module, module: Module) -> dict[str, list[Parsed]]:
    """Return what defines each name of a module; a name that it imports brings the module that it comes from.

    What is neither a definition nor an import (a loop, a call, a ``try``) may change any name, and counts for each.
    """
    found: dict[str, list[Parsed]] = {}
    rest: list[ast.stmt] = []
    for statement in _statements(tree):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for name, origins in _imports(statement, module):
                found.setdefault(name, []).append(Parsed("", ((name, *origins),)))
        elif names := list(_defined(statement)):
            parsed = parse([statement], module)
            for name in names:
                found.setdefault(name, []).append(parsed)
        elif not _is_constant(statement):
            rest.append(statement)
    everywhere = [parse(rest, module)] if rest else []
    return {name: [*parsed, *everywhere] for name, parsed in found.items()}


def _is_constant(statement: ast.stmt) -> bool:
    """Tell whether a statement does nothing: a docstring, or another constant by itself."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those below ``if TYPE_CHECKING`` among them."""
    for statement in tree.body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            yield from (*statement.body, *statement.orelse)
        else:
            yield statement


def _defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if all(isinstance(target, ast.Name | ast.Tuple) for target in targets):
            yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))


def _imports(node: ast.Import | ast.ImportFrom, module: Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the names that an import binds, and the modules that each may come from, where these may be ours."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            name, origins = alias.asname or alias.name.partition(".")[0], [alias.name]
        else:
            origin = _origin(node, module)
            name, origins = alias.asname or alias.name, [f"{origin}.{alias.name}", origin]
        if module.top != PACKAGE or origins[-1].partition(".")[0] == PACKAGE:
            yield name, tuple(origins)


def _origin(node: ast.ImportFrom, module: Module) -> str:
    """Return the absolute name of what names are imported from."""
    if not node.level:
        return node.module or ""
    package = module.name.split(".") if module.source().name == "__init__.py" else module.name.split(".")[:-1]
    return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])


def modules_of(parsed: Parsed, module: Module) -> dict[str, Module]:
    """Return the modules with a source that statements of a module import from, by the name that each import binds."""
    found = {
        name: next(filter(None, (_find(each, module) for each in origins)), None) for name, *origins in parsed.imports
    }
    return {name: each for name, each in found.items() if each is not None}


def _find(name: str, importer: Module) -> Module | None:
    """Return a module of this package, or one that lies where the importer's does; of what is installed, its package."""
    top = name.partition(".")[0]
    installed = "site-packages" in importer.base.parts or "dist-packages" in importer.base.parts
    if top not in (PACKAGE, importer.top) and (importer.top == PACKAGE or installed):
        return None
    return _existing(_ROOT if top == PACKAGE else importer.base, name)


@cache
def _existing(base: Path, name: str) -> Module | None:
    if name == PACKAGE or name in COLUMN:
        return None  # of the package itself, no result depends on its version and its public face
    found = Module(base, name)
    return found if found.has_source() else None


def packages_of(module: Module) -> set[Module]:
    """Return the packages that a module lies in, whose code runs before its own."""
    parts = module.name.split(".")[:-1]
    names = (".".join(parts[: k + 1]) for k in range(len(parts)))
    return {found for name in names if (found := _find(name, module)) is not None}
