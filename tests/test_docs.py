"""The reference: every public name says what it is, and the pages are made without a warning."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import scar
from scar.reference import public_modules

PACKAGE = Path(scar.__file__).parent


def public(tree, where):
    """Yield (name, node) of a module and of its public classes, functions and methods."""
    yield where, tree
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{where}.{node.name}")
            elif not any(
                isinstance(d, ast.Attribute) and d.attr in ("setter", "register") for d in node.decorator_list
            ):
                yield f"{where}.{node.name}", node


def names_without_docstring(source, where="module"):
    return [name for name, node in public(ast.parse(source), where) if not ast.get_docstring(node)]


def test_every_public_name_has_a_docstring():
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if not path.name.startswith("_") or path.stem == "__init__"]
    assert len(files) > 100
    missing = []
    for path in files:
        where = ".".join(("scar", *path.relative_to(PACKAGE).with_suffix("").parts))
        missing += names_without_docstring(path.read_text(encoding="utf-8"), where)
    assert missing == []


def test_the_search_finds_what_lacks_a_docstring_and_leaves_private_names_alone():
    source = '"""M."""\nclass A:\n    def f(self): pass\n    def _g(self): pass\ndef h(): pass\ndef _i(): pass\n'
    assert names_without_docstring(source) == ["module.A", "module.A.f", "module.h"]


@pytest.mark.slow
def test_the_reference_renders_without_a_warning(tmp_path):
    pytest.importorskip("pdoc")
    command = [sys.executable, "-m", "scar.reference", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warn" not in done.stderr, done.stderr
    pages = {path.relative_to(tmp_path).with_suffix("").as_posix() for path in tmp_path.rglob("*.html")}
    assert {name.replace(".", "/") for name in public_modules()} <= pages
    assert "characterize" in (tmp_path / "scar.html").read_text()
