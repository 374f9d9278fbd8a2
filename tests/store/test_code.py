"""What the code of a stage is: found in the sources, blind to their places, comments and docstrings, and to nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import scar
from scar.completion.planners import RandomPlanner
from scar.job.flow import Stage
from scar.job.stages import mapping, planning, preparing, probing
from scar.store._parsing import COLUMN, Module
from scar.store.code import Code
from scar.store.keys import identity, make_key

STAGES = {
    name: value
    for room in (preparing, probing, planning, mapping)
    for name, value in vars(room).items()
    if isinstance(value, Stage)
}
PACKAGE = Path(scar.__file__).parent


def dotted(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def changed(code: Code, module: str) -> Code:
    """Return the same sources but for one module, which has a statement more."""
    other = Code(lambda path: path.read_bytes() + (b"\nCHANGED = 1\n" if path == MODULES[module] else b""))
    for cache in ("_parsed", "_imported", "_defined"):
        known = getattr(code, cache).items()
        setattr(other, cache, {each: value for each, value in known if each != Module(PACKAGE.parent, module)})
    return other


@pytest.fixture(scope="module")
def graph():
    grimp = pytest.importorskip("grimp", reason="the graph of imports as another program finds it; pip install grimp")
    return grimp.build_graph("scar")


def test_a_change_of_any_module_changes_the_keys_of_exactly_the_stages_that_reach_it():
    code = Code()
    before = {name: code.version(stage.code) for name, stage in STAGES.items()}
    reached = {name: code.closure(stage.code) for name, stage in STAGES.items()}
    for module in MODULES:
        after = changed(code, module)
        stale = {name for name, stage in STAGES.items() if after.version(stage.code) != before[name]}
        assert stale == {name for name, modules in reached.items() if module in modules}, module


def test_the_closure_of_a_stage_is_what_another_program_finds(graph):
    code = Code()
    for name, stage in STAGES.items():
        found = code.closure(stage.code)
        for module in found:
            imported = graph.find_modules_directly_imported_by(module) - {"scar"} - COLUMN
            assert imported <= found, f"{name}: {module} imports {sorted(imported - found)}"


def test_what_fits_curves_and_surface_is_in_the_key_of_what_reads_them():
    code = Code()
    for stage in (planning.PROBLEM, planning.OUTLOOK, planning.PLANS):
        assert "scar.completion.curve_fit" in code.closure(stage.code)
    for stage in (planning.FORECASTER, planning.OUTLOOK):
        assert "scar.completion.surface" in code.closure(stage.code)


def test_stages_do_not_reach_what_comes_after_them():
    code = Code()
    for stage in (preparing.DATASET, preparing.SPLIT, probing.PROBES, probing.MEASURES, probing.FOUNDATION):
        later = [each for each in code.closure(stage.code) if each.startswith(("scar.completion", "scar.reporting"))]
        assert not later, stage.name


def user_module(folder: Path, name: str, text: str) -> None:
    path = folder.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def load(monkeypatch, folder: Path, name: str):
    monkeypatch.syspath_prepend(folder)
    for known in [each for each in sys.modules if each.partition(".")[0] == name.partition(".")[0]]:
        monkeypatch.delitem(sys.modules, known)
    return __import__(name, fromlist=["x"])


PLANNER = """
from dataclasses import dataclass
from {rules} import rule

@dataclass(frozen=True, kw_only=True)
class Smallest:
    name: str = "smallest"
"""


@pytest.mark.parametrize("package", ["alone", "boxed.planners.boxed"])
def test_a_class_of_the_user_counts_with_what_it_imports_from_its_own_package(tmp_path, monkeypatch, package):
    rules = package.rpartition(".")[0] + ".rules" if "." in package else "rules"
    keys = []
    for index, text in enumerate(("rule = 1", "# a note\nrule = 1", "rule = 2")):
        folder = tmp_path / str(index)
        user_module(folder, package, PLANNER.format(rules=rules))
        user_module(folder, rules, text)
        keys.append(make_key("plan", config=load(monkeypatch, folder, package).Smallest()))
    assert keys[0] == keys[1] != keys[2]
    assert identity(load(monkeypatch, tmp_path / "0", package).Smallest())["class"] == f"{package}.Smallest"


def test_relative_imports_inside_functions_and_for_annotations_count(tmp_path, monkeypatch):
    kinds = (
        "from .rules import rule",
        "def f():\n    from . import rules",
        "if TYPE_CHECKING:\n    from .rules import rule",
    )
    for place, line in enumerate(kinds):
        versions = []
        for index, text in enumerate(("rule = 1", "rule = 2")):
            folder = tmp_path / f"{place}-{index}"
            user_module(folder, "own.made", f"TYPE_CHECKING = False\n{line}\nclass Made: pass\n")
            user_module(folder, "own.__init__", "")
            user_module(folder, "own.rules", text)
            versions.append(Code().version([load(monkeypatch, folder, "own.made").Made]))
        assert versions[0] != versions[1], line


def test_moving_a_module_changes_no_key(tmp_path):
    """The package with a module in another room under another name, and its imports in another order."""
    shutil.copytree(PACKAGE, tmp_path / "scar", ignore=shutil.ignore_patterns("__pycache__", "conf"))
    (tmp_path / "scar/completion/curve_fit.py").rename(tmp_path / "scar/foundation/fitted_power_laws.py")
    for file in (tmp_path / "scar").rglob("*.py"):
        file.write_text(file.read_text().replace("scar.completion.curve_fit", "scar.foundation.fitted_power_laws"))
    script = (
        "import json; from scar.job.stages import mapping, planning, preparing, probing; from scar.job.flow import Stage;"
        "from scar.store.code import Code; rooms = map(vars, (preparing, probing, planning, mapping));"
        "print(json.dumps({n: Code().version(s.code) for r in rooms for n, s in r.items() if isinstance(s, Stage)}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    moved = json.loads(told.stdout)
    assert moved == {name: Code().version(stage.code) for name, stage in STAGES.items()}


@pytest.mark.parametrize(
    ("made", "before", "after"),
    [
        ("from helper import g\nclass Made: value = g", {"helper": "g = 1"}, {"helper": "g = 2"}),
        (
            "from one import g\nfrom two import h\nclass Made: value = g, h",
            {"one": "g = 1\nh = 3", "two": "g = 2\nh = 4"},
            {"one": "g = 2\nh = 4", "two": "g = 1\nh = 3"},
        ),
    ],
    ids=["changed", "exchanged"],
)
@pytest.mark.parametrize("package", ["lone_class", "its_package.lone_class"])
def test_modules_beside_a_user_s_own_count_under_their_names(tmp_path, monkeypatch, package, made, before, after):
    versions = []
    for index, modules in enumerate((before, after)):
        folder = tmp_path / str(index)
        user_module(folder, package, made)
        for name, text in modules.items():
            user_module(folder, name, text)
            (folder / name).mkdir()  # a folder of data with the name of the module
        for name in modules:
            monkeypatch.delitem(sys.modules, name, raising=False)
        versions.append(Code().version([load(monkeypatch, folder, package).Made]))
    assert versions[0] != versions[1]


@pytest.mark.parametrize(
    "text",
    [
        "X = [1]\nX += [{}]",
        "X = []\nfor i in range({}): X.append(i)",
        "X = dict()\nX['a'] = {}\nX['b'] = 2",
        "try:\n    X = {}\nexcept ValueError:\n    X = 0",
        "import sys\nX = 0\nif sys.argv:\n    X = {}\nelse:\n    X = 3",
    ],
)
def test_statements_that_change_a_name_count_for_the_functions_that_use_it(tmp_path, monkeypatch, text):
    versions = []
    for value in (1, 2):
        user_module(tmp_path / str(value), "changing", text.format(value) + "\ndef make():\n    return X\n")
        versions.append(Code().version([load(monkeypatch, tmp_path / str(value), "changing").make]))
    assert versions[0] != versions[1]


def test_only_names_that_a_function_uses_count_in_its_module(tmp_path, monkeypatch):
    text = "SIZE = {size}\nOTHER = {other}\ndef half():\n    return SIZE / 2\ndef make():\n    return half()\n"
    versions = []
    for index, (size, other) in enumerate(((1, 1), (1, 2), (2, 1))):
        user_module(tmp_path / str(index), "lone", text.format(size=size, other=other))
        versions.append(Code().version([load(monkeypatch, tmp_path / str(index), "lone").make]))
    assert versions[0] == versions[1] != versions[2]


def test_a_class_without_a_source_file_is_refused_by_name():
    made = type("Made", (), {"__module__": "__nowhere__"})
    with pytest.raises(ValueError, match="Made has no source file; define it in a module"):
        Code().version([made])


def test_our_classes_are_named_without_their_module_and_no_two_share_a_name():
    assert identity(RandomPlanner())["class"] == "RandomPlanner"
    import ast
    from collections import Counter

    names = Counter(
        node.name
        for file in MODULES.values()
        for node in ast.parse(file.read_bytes()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not {name for name, count in names.items() if count > 1}


def test_a_memo_changes_no_version_and_a_damaged_one_is_made_again(tmp_path):
    memo, stage = tmp_path / "code.json", STAGES["SPLIT"]
    first = Code(memo=memo).version(stage.code)
    content = memo.read_text()
    assert Code(lambda path: path.read_bytes(), memo=memo).version(stage.code) == Code().version(stage.code) == first
    reader = json.loads(content)["reader"]
    broken = ({"reader": reader}, *({"reader": reader, "known": known} for known in ([1], {"a": "x"}, {"a": [1, 2]})))
    other = content.replace('"reader": "', '"reader": "other ')
    for damaged in ("{", "[]", other, *map(json.dumps, broken)):
        memo.write_text(damaged)
        assert Code(memo=memo).version(stage.code) == first
        assert memo.read_text() == content
