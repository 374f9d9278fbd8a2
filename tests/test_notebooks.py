"""The notebooks: they run in an empty folder, and what they show is kept with them, small and without traces of a machine."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "experiments" / "notebooks").glob("*.ipynb"))
MOST = 300_000
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_is_one_for_each_way_to_begin():
    assert {path.stem for path in NOTEBOOKS} == {"encoders", "own_embeddings", "own_images", "rounds"}


@every_notebook
def test_a_notebook_is_small_and_was_run_from_top_to_bottom(path):
    nbformat = pytest.importorskip("nbformat")
    assert path.stat().st_size <= MOST
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(output.output_type != "error" for cell in cells for output in cell.outputs)
    assert cells[-1].outputs
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"/(?:home|tmp|root|Users|work)/", text)
    said = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    links = [each for text in said for each in re.findall(r"\]\((?!https?:)([^)#]+)", text)]
    assert all((path.parent / link).exists() for link in links)


@pytest.mark.slow
@every_notebook
def test_a_notebook_runs_in_an_empty_folder(path, tmp_path, path_of_commands, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PATH", f"{path_of_commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(path, 4)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    kept = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    fresh = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for old, new in zip(kept, fresh, strict=True):
        assert bool(old.outputs) <= bool(new.outputs), f"this shows nothing any more:\n{new.source}"
        assert words(old) == words(new), f"what is kept is not what this shows:\n{new.source}"


def words(cell):
    """The words that a cell shows, but for its numbers and for what took how long."""
    shown = [each.text if each.output_type == "stream" else each.data.get("text/plain", "") for each in cell.outputs]
    lines = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(shown)).splitlines()
    return set(re.findall(r"[^\W\d_]+", "\n".join(line for line in lines if not line.startswith("finished "))))
