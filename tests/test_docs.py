"""Every public name says what it is, the pages of the reference are made without a warning, and what texts name exists."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import scar
from scar.commands.api_reference import public_modules

PACKAGE = Path(scar.__file__).parent
ROOT = PACKAGE.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("experiments/*/README.md")),
    *(path for path in sorted(ROOT.glob("experiments/guides/*.md")) if path.stem != "README"),
]


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


def is_defined(name):
    """Tell whether a dotted name is a module of the package, or is defined in one; what a class holds is not looked at."""
    place, parts = PACKAGE, name.split(".")[1:]
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    place /= f"{parts.pop(0)}.py" if parts and (place / f"{parts[0]}.py").is_file() else "__init__.py"
    offered = place == PACKAGE / "__init__.py" and parts[:1] and parts[0] in scar.__all__
    return bool(not parts or offered or re.search(rf"^(class |def )?{parts[0]}\b", place.read_text(), re.MULTILINE))


def unknown(pattern, exists, paths):
    return [
        f"{path.relative_to(ROOT)}: {found}"
        for path in paths
        for found in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
        if not exists(path, found)
    ]


def test_every_name_that_a_page_or_a_docstring_gives_is_there():
    texts = [*PAGES, *PACKAGE.rglob("*.py"), *(ROOT / "conf").rglob("*.yaml"), *ROOT.glob("experiments/**/*.py")]
    assert unknown(r"`(scar(?:\.\w+)+)[`(]", lambda _, name: is_defined(name), texts) == []
    assert is_defined("scar.store.store.Store.obtain")
    assert not is_defined("scar.store.Store")


def test_every_path_that_a_page_gives_is_there():
    assert unknown(r"`((?:scar|conf|experiments|tests)/[\w./*-]*)", lambda _, path: any(ROOT.glob(path)), PAGES) == []
    assert unknown(r"\]\((?!https?:)([^)#]+)", lambda page, link: (page.parent / link).exists(), PAGES) == []


def test_every_command_that_a_page_gives_is_there():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert unknown(r"(?:^|`)make ([a-z-]+)", lambda _, target: target in targets, PAGES) == []
    experiments = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    assert unknown(r"experiment=([\w-]+)", lambda _, name: name in experiments, PAGES) == []
    modules = r"python -m ((?:scar|experiments)[\w.]*\w)"
    module_files = ("{}.py", "{}/__main__.py")
    assert (
        unknown(
            modules, lambda _, m: any((ROOT / f.format(m.replace(".", "/"))).is_file() for f in module_files), PAGES
        )
        == []
    )


@pytest.mark.slow
def test_the_reference_renders_without_a_warning(tmp_path):
    pytest.importorskip("pdoc")
    pytest.importorskip("latex2mathml")
    command = [sys.executable, "-m", "experiments.guides", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warn" not in done.stderr, done.stderr
    reference = tmp_path / "reference"
    pages = {path.relative_to(reference).with_suffix("").as_posix() for path in reference.rglob("*.html")}
    assert {name.replace(".", "/") for name in public_modules()} <= pages
    assert "characterize" in (reference / "scar.html").read_text()
    for page in tmp_path.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert not re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?https?:""", html), page
    for module in ("scar", "scar/api", "scar/completion/selection"):
        page = reference / f"{module}.html"
        (back,) = re.findall(r'href="([./]+index\.html)">Guides', page.read_text(encoding="utf-8"))
        assert (page.parent / back).resolve() == tmp_path / "index.html"
