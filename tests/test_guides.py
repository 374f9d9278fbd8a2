"""The guides: every command of theirs runs, in the order of the page and in an empty folder, and they read without a network."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from experiments.guides.__main__ import GUIDES, page_names, target, to_html, write_guides
from scar.commands._arguments import prepared
from scar.commands.report import build as build_report
from scar.completion.problem import CompletionProblem
from scar.config.build import build

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"\A# ([\w./]+\.(?:py|yaml|csv))\n")
COMMANDS = {"scar", "scar-report", "scar-admin", "python", "ls"}
WRITTEN = ("budgets.costs_file",)
"""Keys that name a file which a page writes."""
KINDS = {"sh", "python", "yaml", "csv", "math"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    mark: str
    text: str

    @property
    def file(self):
        """The path of the file that it is, or None."""
        found = FILE.match(self.text)
        return found and found[1]

    @property
    def content(self):
        """Its text without the line that names its file: no table has comments."""
        return FILE.sub("", self.text) if self.kind == "csv" else self.text


def blocks(name):
    text = (GUIDES / f"{name}.md").read_text(encoding="utf-8")
    assert text.count("\n```") == 2 * len(FENCE.findall(text)), f"{name}.md has a fence that no test reads"
    return [Block(*each) for each in FENCE.findall(text)]


def commands(name, *marks):
    return [
        line.split(" #")[0]
        for block in blocks(name)
        if block.kind == "sh" and (not marks or block.mark in marks)
        for line in block.text.splitlines()
    ]


def words(command):
    return shlex.split(command)


def first_job(arguments):
    """What the first job of a command is composed of: one value for each key."""
    for each in arguments:
        key, equals, value = each.partition("=")
        if each in ("-m", "--cfg", "job") or key in WRITTEN:
            continue
        nested = value.startswith(("[", "{"))
        yield f"{key}{equals}{value if nested else re.sub(r'^range.*', '0', value.split(',')[0])}"


def run(name, folder, path_of_commands):
    """Follow a page in a folder."""
    paths = f"{path_of_commands}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": paths, "OMP_NUM_THREADS": "1", "COLUMNS": "100", "WANDB_MODE": "offline"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), ".", os.environ.get("PYTHONPATH", "")])
    for block in blocks(name):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.content)
        elif block.kind in ("sh", "python") and block.mark != "compose":
            program = ["bash", "-ec"] if block.kind == "sh" else [sys.executable, "-c"]
            done = subprocess.run(
                [*program, block.text],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=500,
                check=False,
            )
            assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("name", page_names())
def test_every_block_is_of_a_kind_that_is_tested(name):
    for block in blocks(name):
        assert block.kind in KINDS
        assert block.mark in ("", "compose")
        if block.kind in ("yaml", "csv"):
            assert block.file, f"{name}.md: {block.text}"
        for line in commands(name):
            assert words(line)[0] in COMMANDS, line


@pytest.mark.parametrize("name", page_names())
def test_every_command_of_a_guide_composes(name):
    for line in commands(name):
        command, *arguments = words(line)
        if any("searchpath" in each for each in arguments):
            continue  # of a class that the page writes, which only a run has
        if command == "scar":
            with initialize_config_module("scar.conf", version_base="1.3"):
                composed = compose("config", prepared(list(first_job(arguments))), return_hydra_config=True)
            if not composed.task:
                build(composed)
        elif command == "scar-report":
            with initialize_config_module("scar.conf", version_base="1.3"):
                build_report(compose("report", prepared(arguments)))


def test_the_rule_of_the_guide_keeps_the_contract_of_planners(tmp_path, monkeypatch):
    (text,) = (block.text for block in blocks("own_planner") if block.file == "mine.py")
    mine = ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", mine)
    exec(compile(text, "mine.py", "exec"), mine.__dict__)
    problem = CompletionProblem(
        counts=np.array([5, 1, 9]),
        reserve=np.array([50, 3, 50]),
        step_sizes=np.full(3, 100.0),
        class_names=("a", "b", "c"),
        minimum=np.array([0, 0, 2]),
    )
    planner = mine.SmallestFirst()
    assert planner.allocate(problem, 10, np.arange(103)).counts.tolist() == [5, 3, 2]
    assert planner.allocate(problem, 1000, np.arange(103)).counts.tolist() == [50, 3, 50]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in page_names() if name not in ("README", "answers")])
def test_a_guide_can_be_followed(name, tmp_path, path_of_commands):
    run(name, tmp_path, path_of_commands)


def test_the_pages_ask_nothing_of_a_server_and_lead_where_something_is(tmp_path):
    pytest.importorskip("latex2mathml")
    pages = write_guides(tmp_path / "docs")
    assert {path.stem for path in pages} == {"index", *page_names()} - {"README"}
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", html)
        assert "```" not in html
        for link, anchor in re.findall(r'href="([^"#]*)#?([^"]*)"', html):
            if link != "reference/index.html":
                there = (page.parent / link) if link else page
                assert there.exists(), f"{page.name}: {link}"
                assert not anchor or f'id="{anchor}"' in there.read_text(encoding="utf-8"), (
                    f"{page.name}: {link}#{anchor}"
                )


def test_equations_become_mathml_and_marks_of_blocks_are_not_shown(tmp_path):
    pytest.importorskip("latex2mathml")
    html = to_html("# A title\n\n```math\n\\frac{a}{b}\n```\n\n```sh compose\nscar\n```\n", tmp_path)
    assert "<mfrac>" in html
    assert "compose" not in html
    assert '<h1 id="a-title">' in html
    assert target("answers.md#matched", tmp_path) == "answers.html#matched"
    assert target("https://example.org/a.md", tmp_path) == "https://example.org/a.md"
    assert target("#here", tmp_path) == "#here"


def test_every_equation_can_be_rendered(tmp_path):
    pytest.importorskip("latex2mathml")
    count = sum(block.kind == "math" for block in blocks("answers"))
    html = to_html((GUIDES / "answers.md").read_text(encoding="utf-8"), tmp_path)
    assert html.count("<math ") == count > 10
    assert "\\" not in re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL)
