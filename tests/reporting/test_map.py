"""The map in the report: what the page holds, what leaves the machine, and what a browser shows of it."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
from browser import browser
from synthetic import NAMES, write_study
from test_report_inspection import add_inspection
from test_wandb_study import ended

from scar.common.files import describe_files
from scar.config.runtime import LoggerConfig
from scar.job.map_points import MAP, RIGHT, SLICES, UNKNOWN, WRONG, MapPoints, Previews
from scar.reporting.content import MAPS
from scar.reporting.formats._wandb_files import offline_runs
from scar.reporting.formats.wandb_study import log_study
from scar.reporting.map_view import NO_CLASS, fill_previews, map_view, thin_points, without_previews
from scar.reporting.study_folder import load_study
from scar.reporting.tables.slices_table import slices_table
from scar.reporting.text import script_json
from scar.reporting.write import write_report

SECRET = "what nobody but us may read"
N = 400


def points(strategy="scar", *, n=N, classes=4, texts=True, pictures=0, seed=0, slices=1):
    """Return points of four parts whose classes lie apart; some are planned, out of reach, or decided wrongly."""
    rng = np.random.default_rng(seed)
    labels, parts = np.arange(n) % classes, np.arange(n) * 4 // n
    angle = 2 * np.pi * labels / classes
    place = np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(size=(n, 2)) * 0.15
    place = np.clip(np.rint(65535 * (place + 2) / 4), 0, 65535).astype(int)
    outcome = np.where(parts == 3, np.where(rng.random(n) < 0.8, RIGHT, WRONG), UNKNOWN)
    decided = np.where(outcome == UNKNOWN, -1, np.where(outcome == RIGHT, labels, (labels + 1) % classes))
    return MapPoints(
        rows=np.arange(n), parts=parts, classes=labels, place=place, empty=(parts > 0) & (np.arange(n) % 50 == 7),
        outcome=outcome, decided=decided, planned=(parts == 1) & (np.arange(n) % (len(strategy) - 2) == 0),
        slices=np.where((outcome != UNKNOWN) & (labels == 0), 1, 0) if slices else np.zeros(n, int),
        ids=[f"{i:03d}" for i in range(n)],
        about={
            "method": "tsne", "why_not": "", "names": list(NAMES[:classes]), "sizes": dict.fromkeys(("primary", "reserve", "heldout", "test"), n),
            "strategy": strategy, "fraction": 0.25, "reached": 0.99, "reach": 1.6, "slices": ["T-shirt/top (100 %)"] if slices else [],
        },
        previews=Previews(
            texts=[f"{SECRET} {i} </script>" for i in range(n)] if texts else [],
            pictures=dict.fromkeys(range(pictures), b"\xff\xd8picture"), words={1: [f"{SECRET} word"]} if texts else {},
        ),
    )  # fmt: skip


def add_maps(study, **changed):
    """Give the jobs of seed 0 a map and slices, as jobs leave them."""
    for job in load_study(study).jobs:
        if job.columns.get("seed") == 0:
            points(str(job.columns["completion"]), **changed).save(job.folder / MAP)
            rows = [
                {"cluster": 1, "size": 100, "right": 0.55, "low": 0.42, "high": 0.68, "rest": 0.9, "alike": 0.8, "gain": 0.0875,
                 "classes": "Coat (61 %), Shirt (24 %)", "judged": 3, "is_low": 1},
                {"cluster": 0, "size": 140, "right": 0.88, "low": 0.79, "high": 0.94, "rest": 0.8, "alike": "", "gain": -0.03,
                 "classes": "Bag (90 %)", "judged": 3, "is_low": 0},
            ]  # fmt: skip
            pd.DataFrame(rows).to_csv(job.folder / SLICES, index=False)
            status = json.loads((job.folder / "status.json").read_text())
            status["files"] = describe_files(job.folder, [job.folder / MAP, job.folder / SLICES])
            (job.folder / "status.json").write_text(json.dumps(status))
    return study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    study = write_study(tmp_path_factory.mktemp("outputs") / "quick", seeds=2)
    add_maps(study, pictures=5)
    add_inspection(study)
    return study


@pytest.fixture(scope="module")
def paths(folder):
    return write_report(folder, resamples=100, formats=["png"])


def script(page, name):
    (found,) = re.findall(rf'<script type="application/json" class="{name}">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def array(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_a_file_of_points_gives_back_what_was_saved(tmp_path):
    points(pictures=3).save(tmp_path / MAP)
    one, again = points(pictures=3), MapPoints.load(tmp_path / MAP)
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(value, getattr(again, name)), name
    assert (again.ids, again.about) == (one.ids, one.about)
    assert vars(again.previews) == vars(one.previews)


def test_the_page_holds_the_points_of_the_file_and_the_plan_of_every_strategy(paths):
    page, own = paths["report.html"].read_text(), points()
    data, looks = script(page, "map-points"), script(page, "map-previews")
    assert array(data["place"], "<u2").reshape(-1, 2).tolist() == own.place.tolist()
    assert array(data["classes"], "<u2").tolist() == own.classes.tolist()
    assert array(data["decided"], "<u2").tolist() == np.where(own.decided < 0, NO_CLASS, own.decided).tolist()
    assert array(data["parts"], "u1").tolist() == own.parts.tolist()
    assert array(data["outcome"], "u1").tolist() == own.outcome.tolist()
    assert data["ids"] == own.ids
    assert [plan["name"] for plan in data["plans"]] == ["SCAR, 25 %", "class average, 25 %", "random, 25 %"]
    assert array(data["plans"][2]["added"], "u1").tolist() == points("random").planned.tolist()
    assert looks["texts"] == own.previews.texts
    assert len(looks["pictures"]) == 5
    assert data["found"] == {"suspected labels": list(range(7)), "duplicates": []}
    assert "map.png" in paths


def test_what_was_left_out_and_what_it_rests_on_is_said(folder):
    study = load_study(folder)
    view = map_view(study, study.groups()[0], seed=0, leader="scar")
    fill_previews([view])
    said = " ".join(view.notes)
    assert "at most map.points: primary 100 of 400, reserve 100 of 400, held-out 100 of 400 and test 100 of 400" in said
    assert "1.6 times the median" in said
    assert "7 of 7 suspected labels that were found are among the points" in said
    assert "0 of 4 duplicates" in said
    assert "map.texts=false" in said
    assert map_view(study, study.groups()[0], seed=1, leader="scar") is None


def test_texts_and_pictures_end_where_a_page_is_full(folder):
    study = load_study(folder)
    views = [map_view(study, study.groups()[0], seed=0, leader="scar") for _ in range(2)]
    fill_previews(views, most=3_000)
    first, second = (json.loads(view.previews) for view in views)
    assert len(first["pictures"]) == 5
    assert 0 < len(first["texts"]) < N
    assert second["texts"] == []
    assert any("of the points have their text" in note for note in views[0].notes)


def test_nothing_that_samples_say_leaves_the_machine(paths):
    page = paths["report.html"].read_text()
    assert SECRET in page
    bare = without_previews(page)
    assert SECRET not in bare
    assert script(bare, "map-points")["ids"] == points().ids
    assert log_study(paths, LoggerConfig(), name="quick")
    (artifact,) = [
        a for path in offline_runs(paths["report.html"].parent) for a in ended(path).artifacts if a.kind == "report"
    ]
    assert set(artifact.files) == set(paths)
    for file in artifact.files.values():
        assert SECRET.encode() not in file.read_bytes()
    assert artifact.files["report.html"].read_text() == bare


def test_slices_say_what_they_would_gain_and_how_many_were_judged(folder, paths):
    study = load_study(folder)
    group = study.groups()[0]
    table = slices_table(study.finished(group), group=group, seed=0)
    assert table.cells.iloc[0].tolist() == [
        "1: Coat (61 %), Shirt (24 %)", "100", "55.0 [42.0, 68.0]", "90.0", "80.0", "+8.75", "yes",
    ]  # fmt: skip
    assert len(table.cells) == 1  # the other is not below the rest
    assert "All 3 intervals hold at once with 95 %" in table.notes[0]
    assert "1 of them is below" in table.notes[0]
    assert slices_table(study.finished(group), group=group, seed=1) is None
    assert pd.read_csv(paths["slices.csv"]).gain.tolist() == [0.0875]


def test_where_no_slice_is_low_the_table_says_cannot_tell(tmp_path):
    study = add_maps(write_study(tmp_path / "s", seeds=1, strategies=("scar",)))
    (job,) = (study / "jobs").iterdir()
    frame = pd.read_csv(job / SLICES).assign(is_low=0)
    frame.to_csv(job / SLICES, index=False)
    (job / "status.json").write_text(json.dumps({"status": "done"}))
    loaded = load_study(study)
    table = slices_table(loaded.finished(loaded.groups()[0]), group=loaded.groups()[0], seed=0)
    assert table.cells["Below the rest"].tolist() == ["cannot tell"] * 2
    assert table.cells["Its classes elsewhere [%]"].tolist() == ["80.0", "–"]


def test_a_new_map_makes_a_new_report_and_only_some_groups_have_one(tmp_path):
    groups = [(f"data{index}", "pixels", "image", "natural") for index in range(MAPS + 1)]
    study = add_maps(write_study(tmp_path / "s", seeds=1, groups=groups, strategies=("scar",)))
    page = write_report(study, resamples=100, formats=[])["report.html"]
    first = page.read_text()
    assert first.count('class="map-points"') == MAPS
    add_maps(study, texts=False)
    again = write_report(study, resamples=100, formats=[])["report.html"].read_text()
    assert SECRET in first
    assert SECRET not in again


def test_a_page_of_ten_thousand_samples_without_pictures_is_small(tmp_path):
    study = add_maps(
        write_study(tmp_path / "s", seeds=1, classes=10, strategies=("scar", "random")), n=10_000, classes=10
    )
    assert write_report(study, resamples=100, formats=[])["report.html"].stat().st_size < 5_000_000


@pytest.mark.slow
def test_a_page_of_many_groups_is_small_and_says_what_it_leaves_out(tmp_path):
    groups = [(f"data{index}", encoder, "text", "natural") for index in range(17) for encoder in ("tfidf", "minilm")]
    folder = write_study(tmp_path / "s", seeds=1, classes=10, groups=groups, strategies=("scar", "random"), ahead=True)
    add_maps(folder, n=10_000, classes=10)
    for plan in folder.glob("jobs/*/plan-scar-*.csv"):
        plan.write_text(plan.read_text() + "".join(f"{i:05d},Coat,need,1\n" for i in range(5_000)))
    text = write_report(folder, resamples=100, details=12, formats=[])["report.html"].read_text()
    assert len(text.encode()) <= 5_000_000
    shown = text.count('<h2 id="detail')
    assert 5 <= shown < 12
    assert f"Groups without a section of their own: {12 - shown} because a page holds 4.9 MB and 22 by details=" in text
    assert text.count('class="map-points"') == MAPS
    maps = re.findall(r'class="map-points">(.*?)</script>', text, re.DOTALL)
    assert [len(json.loads(each)["ids"]) for each in maps] == [10_000] * MAPS
    assert re.search(r"of the points have their text: this page holds \S+ MB of them", text)
    assert "A page holds 0.4 MB of plans; in the folder jobs: data" in text
    assert "2 more groups are decided in the tables alone" in text


def test_too_many_points_are_thinned_in_proportion_and_keep_what_they_are(folder):
    study = load_study(folder)
    views = [map_view(study, study.groups()[0], seed=0, leader="scar") for _ in range(2)]
    whole = map_view(study, study.groups()[0], seed=0, leader="scar")
    thin_points(views, most=10 * len(whole.points_json()))
    assert views[0].n == N
    thin_points(views, most=len(whole.points_json()))
    for view in views:
        assert view.n == N // 2
        assert len(view.points_json()) < 0.6 * len(whole.points_json())
        rows = np.array([int(each) for each in view.points.ids])
        for name in ("place", "parts", "classes", "outcome", "planned"):
            assert np.array_equal(getattr(view.points, name), getattr(whole.points, name)[rows]), name
        kept = np.bincount(4 * view.points.parts + view.points.classes)
        assert np.abs(kept - np.bincount(4 * whole.points.parts + whole.points.classes) / 2).max() <= 1
        assert [view.points.ids[place] for place in view.found["suspected labels"]] == [
            f"{i:03d}" for i in range(7) if i in rows
        ]
        assert view.points.previews.texts == [f"{SECRET} {row} </script>" for row in rows]
        assert set(rows[list(view.points.previews.pictures)]) == {i for i in range(5) if i in rows}
        assert np.array_equal(view.plans["random, 25 %"], whole.plans["random, 25 %"][rows])
        assert any("200 of 400 points are in this page" in note for note in view.notes)


def test_no_name_ends_a_script():
    assert json.loads(script_json("</script>\u2028")) == "</script>\u2028"
    assert "</script" not in script_json("</script>")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


CANVAS = "document.querySelector('.map canvas')"
TIP = "document.querySelector('.map .tip')"
SHOWN = f"(() => {{ const tip = {TIP}; return tip.hidden ? [] : [...tip.children].map((e) => e.textContent || e.tagName); }})()"
INK = f"""(() => {{ const c = {CANVAS}, d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, found = {{}};
  for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) {{ const k = [d[i] >> 5, d[i + 1] >> 5, d[i + 2] >> 5].join(); found[k] = (found[k] || 0) + 1; }}
  return Object.entries(found).sort((a, b) => b[1] - a[1]).slice(0, 4).map(([k]) => k).join(" "); }})()"""


def choose(tab, name, value):
    tab.run(
        f"(() => {{ const s = document.querySelector('.map [name={name}]'); s.value = {json.dumps(value)}; "
        "s.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280, 1600])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_map_is_drawn_without_errors_and_fits(tab, paths, width, dark):
    tab.open(paths["report.html"], width=width, dark=dark)
    assert tab.complaints() == []
    assert tab.requests() == []
    assert tab.run("document.scrollingElement.scrollWidth") <= width
    assert len(tab.run(INK).split()) == 4
    stage = tab.run(f"(({CANVAS}).width / ({CANVAS}).parentElement.clientWidth)")
    assert stage == pytest.approx(1)
    assert tab.run("document.querySelector('.map-figure').open") is False
    for display in ("none", "block"):  # as a window is, for a moment, while it is printed
        tab.run(f"document.querySelector('.map .stage').style.display = '{display}'")
        tab.run(DRAWN)
    assert tab.complaints() == []


@pytest.mark.slow
def test_the_pointer_and_the_keys_show_the_samples(tab, paths):
    tab.open(paths["report.html"], width=1280)
    own = points()
    alone, px, py = lonely_point(tab, own)
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=float(px), y=float(py))
    shown = tab.run(SHOWN)
    assert own.ids[alone] in shown
    assert any(NAMES[own.classes[alone]] in line for line in shown)
    assert any(SECRET in line for line in shown)
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=1.0, y=1.0)
    assert tab.run(SHOWN) == []
    tab.run(f"{CANVAS}.focus()")
    tab.press("ArrowRight")
    first = tab.run(SHOWN)
    tab.press("ArrowRight")
    assert first != tab.run(SHOWN) != []
    assert tab.run("document.getElementById('status').textContent").split("; ")[0] in tab.run(SHOWN)
    assert tab.complaints() == []


def in_window(tab, own):
    """Return [n, 2]: where the points are in the window."""
    tab.run(f"document.documentElement.style.scrollBehavior = 'auto'; {CANVAS}.scrollIntoView({{block: 'center'}})")
    x, y, width, height = tab.run(
        f"(() => {{ const r = {CANVAS}.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }})()"
    )
    across = min(width, 1.6 * height)
    place = own.place / 65535
    left = x + (width - across) / 2
    return np.stack([left + 10 + place[:, 0] * (across - 20), y + 10 + (1 - place[:, 1]) * (height - 20)], axis=1)


def lonely_point(tab, own):
    """Return the point that lies farthest from its nearest one, and where it is in the window."""
    place = in_window(tab, own)
    away = np.linalg.norm(place[:, None] - place[None], axis=2)
    np.fill_diagonal(away, np.inf)
    alone = int(away.min(axis=1).argmax())
    return alone, *map(float, place[alone])


DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
PICTURE = f"{CANVAS}.toDataURL()"


def mouse(tab, kind, x, y, **more):
    tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


@pytest.mark.slow
def test_the_wheel_zooms_at_the_pointer_and_dragging_moves(tab, paths):
    tab.open(paths["report.html"], width=1280)
    own = points()
    alone, x, y = lonely_point(tab, own)
    whole = tab.run(PICTURE)
    mouse(tab, "mouseWheel", x, y, deltaX=0, deltaY=-1)
    tab.run(DRAWN)
    assert tab.run(PICTURE) == whole  # the wheel alone scrolls the page
    alone, x, y = lonely_point(tab, own)
    mouse(tab, "mouseWheel", x, y, deltaX=0, deltaY=-300, modifiers=2)
    tab.run(DRAWN)
    near = tab.run(PICTURE)
    assert near != whole
    mouse(tab, "mouseMoved", 1.0, 1.0)
    mouse(tab, "mouseMoved", x, y)
    assert own.ids[alone] in tab.run(SHOWN)
    mouse(tab, "mousePressed", x, y, button="left", buttons=1, clickCount=1)
    mouse(tab, "mouseMoved", x + 20, y + 10, button="left", buttons=1)
    mouse(tab, "mouseReleased", x + 20, y + 10, button="left", clickCount=1)
    tab.run(DRAWN)
    assert tab.run(PICTURE) != near
    mouse(tab, "mouseMoved", 1.0, 1.0)
    mouse(tab, "mouseMoved", x + 20, y + 10)
    assert own.ids[alone] in tab.run(SHOWN)
    assert tab.complaints() == []
    assert tab.requests() == []


@pytest.mark.slow
def test_buttons_and_keys_zoom_move_and_show_all_again(tab, paths):
    tab.open(paths["report.html"], width=1280)
    whole, button = tab.run(PICTURE), "document.querySelector('.map .zoom [name=%s]').click()"
    seen = [whole]
    for name in ("in", "in", "out"):
        tab.run(button % name)
        tab.run(DRAWN)
        seen.append(tab.run(PICTURE))
    assert seen[1] == seen[3]
    assert len(set(seen)) == 3
    assert tab.run("document.getElementById('status').textContent") == "zoom 2.0"
    tab.run(button % "whole")
    tab.run(DRAWN)
    assert tab.run(PICTURE) == whole
    tab.run(f"{CANVAS}.focus()")
    tab.press("+", text="+")
    tab.run(DRAWN)
    assert tab.run(PICTURE) == seen[1]
    tab.press("ArrowRight", shift=True)
    tab.run(DRAWN)
    assert tab.run(PICTURE) not in seen
    for _ in range(40):  # a point that lies outside is brought into the middle
        tab.press("ArrowRight")
    x, y, wide, high = tab.run(
        "(() => { const b = document.querySelector('.map .ring').getBoundingClientRect(), s = document.querySelector('.map .stage').getBoundingClientRect();"
        " return [b.x + 9 - s.x, b.y + 9 - s.y, s.width, s.height]; })()"
    )
    assert -10 < x < wide + 10
    assert -10 < y < high + 10
    tab.press("0", text="0")
    tab.run(DRAWN)
    assert tab.run(PICTURE) == whole
    assert tab.complaints() == []


@pytest.mark.slow
def test_two_fingers_zoom(tab, paths):
    tab.open(paths["report.html"], width=390)
    _, x, y = lonely_point(tab, points())
    whole = tab.run(PICTURE)
    for kind, apart in (("touchStart", 20), ("touchMove", 30), ("touchMove", 60)):
        fingers = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        tab.call("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)
    tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    tab.run(DRAWN)
    assert tab.run(PICTURE) != whole
    assert tab.run("document.querySelector('.map canvas').classList.contains('zoomed')")
    assert tab.run("visualViewport.scale") == pytest.approx(1)
    assert tab.complaints() == []


@pytest.mark.slow
def test_fifty_thousand_points_are_drawn_once_a_frame_and_found(tab, tmp_path):
    study = add_maps(write_study(tmp_path / "s", seeds=1, classes=10, strategies=("scar",)), n=50_000, classes=10)
    page = write_report(study, resamples=100, formats=[])["report.html"]
    assert page.stat().st_size < 5_000_000
    tab.open(page, width=1280)
    drawn = tab.run(f"""(async () => {{
      let drawn = 0;
      const put = CanvasRenderingContext2D.prototype.putImageData;
      CanvasRenderingContext2D.prototype.putImageData = function (...given) {{ drawn += 1; return put.apply(this, given); }};
      for (let step = 0; step < 40; step++) {CANVAS}.dispatchEvent(new WheelEvent("wheel", {{ctrlKey: true, deltaY: -5, clientX: 600, clientY: 300}}));
      await {DRAWN};
      return drawn; }})()""")
    assert drawn == 1
    tab.run("document.querySelector('.map .zoom [name=whole]').click()")
    mouse(tab, "mouseMoved", *map(float, in_window(tab, points(n=50_000, classes=10))[0]))
    assert len(tab.run(SHOWN)) >= 2
    assert tab.complaints() == []


@pytest.mark.slow
def test_every_choice_of_colour_mark_and_part_changes_the_picture(tab, paths):
    tab.open(paths["report.html"], width=1280)
    options = {
        name: tab.run(
            f"[...document.querySelectorAll('.map [name={name}] option')].filter((o) => !o.disabled).map((o) => o.value)"
        )
        for name in ("colour", "mark", "show")
    }
    assert options["colour"] == ["class", "part", "outcome", "slice", "plan0", "plan1", "plan2"]
    assert options["mark"] == ["", "empty", "suspected labels", "duplicates", "plan0", "plan1", "plan2"]
    legend = "[...document.querySelectorAll('.map .legend li')].map((e) => e.textContent)"
    picture = f"{CANVAS}.toDataURL()"
    seen = []
    for value in options["colour"]:
        choose(tab, "colour", value)
        seen.append((tab.run(picture), tab.run(legend)))
    assert len({picture for picture, _ in seen}) == len(seen)
    own = points()
    wrong, right = (own.outcome == WRONG).sum(), (own.outcome == RIGHT).sum()
    assert seen[2][1] == [f"right ({right})", f"wrong ({wrong})", "others (300)"]
    assert f"added by the plan ({own.planned.sum()})" in seen[4][1]
    marked = []
    for value in options["mark"]:
        choose(tab, "mark", value)
        marked.append(tab.run(picture))
    assert len(set(marked)) == len(marked) - 1  # no duplicate is among the points
    choose(tab, "colour", "class")
    choose(tab, "show", "3")
    assert sum(int(line.rpartition("(")[2][:-1]) for line in tab.run(legend)) == 100
    assert tab.complaints() == []


@pytest.mark.slow
def test_without_scripts_the_map_is_a_picture(tab, paths):
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(paths["report.html"], width=390)
        tree = tab.call("DOMSnapshot.captureSnapshot", computedStyles=["display"])
        assert any("samples in two dimensions" in text for text in tree["strings"])
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
    text = paths["report.html"].read_text()
    assert '<details class="map-figure" open>' in text
    assert re.search(r'<div class="map" id="[^"]+" hidden>', text)


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 768, 1280, 1600])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(tab, paths, width, dark):
    tab.open(paths["report.html"], width=width, dark=dark)
    assert tab.serious() == []
