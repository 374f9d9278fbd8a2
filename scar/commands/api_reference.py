"""The reference of the Python API, from the docstrings: ``python -m scar.commands.api_reference outputs/docs`` (``make docs`` adds the guides)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import scar


def public_modules() -> list[str]:
    """Return the names of all modules of the package but the private ones."""
    found = walk_packages(scar.__path__, "scar.")
    return ["scar", *sorted(m.name for m in found if not any(part.startswith("_") for part in m.name.split(".")))]


def write_reference(folder: Path, templates: Path | None = None) -> list[Path]:
    """Write one page per module, with an index and a search, and return the pages; they ask nothing of any server.

    Args:
        folder: made if it is not there.
        templates: folder of pdoc templates that take the place of its own.
    """
    import pdoc

    modules = {name: import_module(name) for name in public_modules()}
    for module in modules.values():
        _resolve(module)
    pdoc.render.configure(docformat="google", footer_text=f"scar {scar.__version__}", template_directory=templates)
    pdoc.pdoc(*_roots(modules), output_directory=folder)
    return sorted(folder.rglob("*.html"))


def _roots(modules: Mapping[str, ModuleType]) -> list[str]:
    """Return the modules that have to be named: pdoc finds those inside a package that lists no names of its own."""
    roots: list[str] = []
    for name in modules:
        parent = name.rpartition(".")[0]
        if not parent or hasattr(modules[parent], "__all__"):
            roots.append(name)
    return roots


def _resolve(module: ModuleType) -> None:
    """Import what a module offers on first use, so that its page shows it."""
    for name in getattr(module, "__all__", ()):
        setattr(module, name, getattr(module, name))


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/docs")
    print(f"reference: {target / 'index.html'} ({len(write_reference(target))} pages)")
