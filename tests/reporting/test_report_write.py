import html.parser
import json
import re
import shutil
import subprocess
import sys

import pytest
from synthetic import write_study

from scar.reporting.paper.paper_report import write_published
from scar.reporting.write import write_report


class Page(html.parser.HTMLParser):
    """Collects what a page loads, its identifiers and its text."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.identifiers, self.stack, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.identifiers += [found["id"]] if "id" in found else []
        self.loads += [v for k, v in found.items() if k in ("src", "href", "xlink:href", "action", "data")]
        if tag not in ("meta", "link", "img", "br", "use", "path", "rect"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self.stack):
            self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("outputs") / "quick", seeds=2)
    write_report(folder, resamples=200)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text())


def test_every_promised_file_is_written(folder):
    names = {p.name for p in folder.iterdir()}
    figures = {f"{name}.svg" for name in ("figure3a", "completion", "plan", "figure2")}
    assert {"report.html", "report.txt", "table2.md", "table2.tex", "table2.csv", "deviations.md", *figures} <= names
    assert not [
        n for n in names if n.startswith(".") or n.endswith((".pdf", ".png"))
    ]  # written where one asks for them
    assert "figure3b.svg" not in names  # of a single group it would be a single bubble


def test_figures_that_are_no_longer_asked_for_go_and_what_others_left_stays(tmp_path):
    groups = [("digits", encoder, "image", "natural") for encoder in ("pixels", "pixels_pca")]
    folder = write_study(tmp_path / "s", seeds=1, strategies=("scar",), groups=groups)
    paths = write_report(folder, resamples=100, details=0, formats=["svg", "png"])
    assert {"figure3a.svg", "figure3a.png", "figure3b.svg", "figure3b.png"} <= set(paths)
    paths["figure3b.png"].write_bytes(b"edited")
    (folder / "notes.png").write_bytes(b"mine")
    write_report(folder, resamples=100, details=0)
    left = {path.name for path in folder.glob("*.png")}
    assert left == {"figure3b.png", "notes.png"}
    assert (folder / "figure3a.svg").exists()


def test_the_page_loads_nothing(folder, page):
    assert page.loads
    assert all(load.startswith(("#", "data:")) for load in page.loads)
    text = (folder / "report.html").read_text()
    assert not re.findall(r"url\((?!#)", text)
    assert "@import" not in text
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import\()", text)


def test_links_inside_the_page_have_targets(page):
    inside = {load[1:] for load in page.loads if load.startswith("#")}
    assert inside <= set(page.identifiers)
    assert len(page.identifiers) == len(set(page.identifiers))


def test_the_page_answers_the_four_questions_and_names_classes(page):
    for part in ("How good is it?", "Is it enough?", "What should be added?", "Did adding it help?"):
        assert part in page.text
    for part in (
        "Trouser",
        "Held-out estimate (drives the plan)",
        "Deviations from the paper",
        "scar-report study=quick",
    ):
        assert part in page.text
    assert "seed=0,1" in page.text


def test_the_page_is_small(folder):
    assert (folder / "report.html").stat().st_size < 1_500_000


def test_nothing_of_the_users_names_is_taken_for_markup(tmp_path):
    folder = write_study(
        tmp_path / "<b>x",
        strategies=("scar",),
        seeds=1,
        groups=[("<script>alert(1)</script>", "e", "image", "natural")],
    )
    write_report(folder, resamples=100, details=0, formats=[])
    assert "<script>alert" not in (folder / "report.html").read_text()


def test_an_unchanged_study_is_not_reported_again(folder):
    before = (folder / "report.html").stat().st_mtime_ns
    paths = write_report(folder, resamples=200)
    assert paths["report.html"].stat().st_mtime_ns == before
    assert set(paths) == set(json.loads((folder / "report.json").read_text())["files"])


def test_reuse_needs_neither_pandas_nor_matplotlib_nor_torch(folder):
    script = (
        f"import sys; from scar.reporting.write import write_report; write_report({str(folder)!r}, resamples=200);"
        "print([m for m in ('torch', 'pandas', 'matplotlib', 'scipy', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_report_never_imports_torch(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    script = (
        f"import sys; from scar.reporting.write import write_report; write_report({str(folder)!r}, resamples=100, formats=['png']);"
        "print([m for m in ('torch', 'pytorch_lightning', 'timm', 'transformers', 'scar.job.algorithm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_anything_that_changed_makes_a_new_report(tmp_path):
    folder = write_study(tmp_path / "s", seeds=2)
    options = {"resamples": 100, "details": 0, "formats": []}
    write_report(folder, **options)
    digest = json.loads((folder / "report.json").read_text())["digest"]
    shutil.rmtree(next(folder.glob("jobs/*-1-random")))
    write_report(folder, **options)
    changed = json.loads((folder / "report.json").read_text())["digest"]
    assert changed != digest
    assert "Missing:" in (folder / "report.txt").read_text()
    (folder / "table2.md").write_text("edited")
    write_report(folder, **options)
    assert "edited" not in (folder / "table2.md").read_text()
    write_report(folder, **{**options, "level": 0.9})
    assert "90 % intervals" in (folder / "report.txt").read_text()


def test_two_writings_give_the_same_bytes(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    first = {n: p.read_bytes() for n, p in write_report(folder, resamples=100, details=0, formats=["svg"]).items()}
    second = {
        n: p.read_bytes()
        for n, p in write_report(folder, resamples=100, details=0, formats=["svg"], force=True).items()
    }
    assert first == second


def test_one_job_and_a_failed_one_still_make_a_report(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1, strategies=("scar", "random"))
    status = next(folder.glob("jobs/*-random/status.json"))
    status.write_text(json.dumps({"status": "failed", "error": "ValueError: broken <input>", "overrides": ["seed=0"]}))
    paths = write_report(folder, resamples=100, details=0, formats=[])
    text = Page(paths["report.html"].read_text()).text
    assert "Jobs that did not finish" in text
    assert "failed: ValueError: broken <input>" in text
    assert "One seed: 95 % intervals of scores count the test items alone" in " ".join(text.split())


def test_no_finished_job_is_an_error(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1, strategies=("scar",))
    for status in folder.glob("jobs/*/status.json"):
        status.write_text(json.dumps({"status": "failed"}))
    with pytest.raises(ValueError, match=r"none of 1 jobs is finished \(status: failed\)"):
        write_report(folder)
    assert not (folder / "report.html").exists()


def test_several_studies_make_one_report(tmp_path):
    one = write_study(tmp_path / "one", seeds=1, groups=[("digits", "pixels", "image", "natural")])
    two = write_study(tmp_path / "two", seeds=1, groups=[("wordnet_glosses", "minilm", "text", "natural")])
    with pytest.raises(ValueError, match="say where the report on 2 studies goes"):
        write_report([one, two])
    paths = write_report([one, two], output=tmp_path / "both", resamples=100, details=0, formats=[])
    table = (tmp_path / "both" / "table2.md").read_text()
    assert "Digits" in table
    assert "WordNet glosses" in table
    assert "one + two" in paths["report.html"].read_text()


def test_where_keeps_part_of_a_study(tmp_path):
    groups = [("digits", "pixels", "image", regime) for regime in ("natural", "long_tailed")]
    folder = write_study(tmp_path / "s", seeds=1, groups=groups)
    paths = write_report(folder, where={"regime": "natural"}, resamples=100, details=0, formats=[])
    assert "long-tailed" not in paths["table2.md"].read_text()
    with pytest.raises(ValueError, match="no row has regime='noisy'"):
        write_report(folder, where={"regime": "noisy"})
    with pytest.raises(
        ValueError, match=r"where\.metric=accuracy chooses by no axis of the study; its axes are dataset, "
    ):
        write_report(folder, where={"metric": "accuracy"})


def test_the_terminal_text_fits_and_is_plain(folder):
    lines = (folder / "report.txt").read_text().splitlines()
    assert max(len(line) for line in lines if not line.startswith("    scar")) <= 80
    assert "\x1b" not in "".join(lines)
    assert sum("SCAR − it" in line for line in lines) == 2  # matched, and raw as the paper


def test_the_published_table_and_figures_can_be_written_alone(tmp_path):
    paths = write_published(tmp_path, formats=["svg"])
    assert "| CIFAR-10" in paths["published_table2.md"].read_text()
    assert {"published_figure3a.svg", "published_figure3b.svg"} <= set(paths)
