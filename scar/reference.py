"""The reference of the Python API, from the docstrings: ``python -m scar.reference outputs/docs`` (``make docs``)."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import scar


def public_modules() -> list[str]:
    """Return the names of all modules of the package but the private ones."""
    found = walk_packages(scar.__path__, "scar.")
    return ["scar", *sorted(m.name for m in found if not any(part.startswith("_") for part in m.name.split(".")))]


def write_reference(folder: Path) -> list[Path]:
    """Write one page per module, with an index and a search, and return the pages.

    Args:
        folder: made if it is not there.
    """
    import pdoc

    names = public_modules()
    for name in names:
        _resolve(import_module(name))
    pdoc.render.configure(docformat="google", math=True, footer_text=f"scar {scar.__version__}")
    pdoc.pdoc(*names, output_directory=folder)
    return sorted(folder.rglob("*.html"))


def _resolve(module: ModuleType) -> None:
    """Import what a module offers on first use, so that its page shows it."""
    for name in getattr(module, "__all__", ()):
        setattr(module, name, getattr(module, name))


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/docs")
    print(f"reference: {target / 'index.html'} ({len(write_reference(target))} pages)")
