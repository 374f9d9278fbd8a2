"""The page in a real headless browser; these fail where Chromium is not installed: `make tools` installs it."""

import pytest
from browser import browser
from PIL import Image
from synthetic import NAMES, write_study

from scar.reporting.write import write_report

pytestmark = pytest.mark.slow
WIDTHS = {"phone": 390, "desktop": 1280}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("outputs") / "quick", seeds=2, classes=10)
    return write_report(folder, resamples=100, formats=[])["report.html"]


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


COLUMN = (
    """(() => [...document.querySelectorAll("#table-plan-detail tbody tr")].map((r) => r.cells[%d].textContent))()"""
)
HEAD = """document.querySelector("#table-plan-detail th:nth-child(%d) button")"""


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_loads_without_errors_or_requests_and_fits(tab, page, tmp_path, width, dark):
    tab.open(page, width=width, dark=dark)
    assert tab.complaints() == []
    assert tab.requests() == []
    assert tab.run("document.scrollingElement.scrollWidth") <= width
    tab.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as image:
        assert image.width == pytest.approx(width, abs=20)
        assert image.height > 2000
        corner = sum(image.convert("RGB").getpixel((3, 3)))
        assert len(image.convert("RGB").getcolors(1 << 24)) > 50
    assert (corner < 150) == dark


def test_the_window_guard_sees_a_page_that_asks_and_complains(tab, page, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text().replace("</body>", '<img src="absent.png"><script>x.y</script></body>'))
    tab.open(broken, width=390)
    assert len(tab.requests()) == 1
    assert tab.complaints()


def test_a_click_on_a_header_sorts_by_value_and_says_so(tab, page):
    tab.open(page, width=1280)
    tab.run(HEAD % 2 + ".click()")
    up = [int(text.replace("\u202f", "")) for text in tab.run(COLUMN % 1)]
    assert up == sorted(up)
    assert len(set(up)) > 2
    assert tab.run(HEAD % 2 + ".closest('th').getAttribute('aria-sort')") == "ascending"
    tab.run(HEAD % 2 + ".click()")
    assert [int(text.replace("\u202f", "")) for text in tab.run(COLUMN % 1)] == up[::-1]
    assert tab.run("document.getElementById('status').textContent").endswith("descending")


def test_the_keyboard_reaches_everything_and_sorts(tab, page):
    tab.open(page, width=1280)
    tab.press("Tab")
    assert tab.run("document.activeElement.className") == "skip"
    tab.run(HEAD % 2 + ".focus()")
    sorted_by = HEAD % 2 + ".closest('th').getAttribute('aria-sort')"
    assert tab.run(sorted_by) is None
    tab.press("Enter", text="\r")
    assert tab.run(sorted_by) == "ascending"
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.run(ring) != "none"
    lost = tab.run("""(() => {
      for (const each of document.querySelectorAll("details")) each.open = true;
      const reached = (e) => { e.focus(); return document.activeElement === e; };
      const all = [...document.querySelectorAll("button, a[href], summary, .scroll[tabindex]")];
      return all.filter((e) => !reached(e)).map((e) => e.outerHTML.slice(0, 80)); })()""")
    assert lost == []


def test_every_figure_has_a_text_and_its_marks_have_values(tab, page):
    tab.open(page, width=1280)
    figures = tab.run(
        "[...document.querySelectorAll('.plot svg')].map((s) => [s.getAttribute('aria-label'), s.querySelectorAll('title').length])"
    )
    assert len(figures) >= 6
    assert all(len(text) > 40 for text, _ in figures)
    assert sum(marks > 0 for _, marks in figures) >= len(figures) - 1  # the fitted growth has curves, no marks


def test_the_plan_is_downloaded_from_the_page_itself(tab, page):
    tab.open(page, width=1280)
    link = "document.querySelector('a.download[download^=plan]')"
    text = tab.run(f"fetch({link}.href).then((r) => r.text())")
    assert text.startswith("id,class_name,reason,cost")


def test_text_stands_out_from_its_ground_in_both_themes(tab, page):
    script = """(() => { const s = getComputedStyle(document.documentElement);
      return Object.fromEntries(["ink", "muted", "accent", "warn", "panel", "page"].map((n) => [n, s.getPropertyValue("--" + n).trim()])); })()"""
    for dark in (False, True):
        tab.open(page, width=1280, dark=dark)
        colours = tab.run(script)
        for ground in ("panel", "page"):
            for text in ("ink", "muted", "accent", "warn"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (dark, text, ground)


def contrast(first, second):
    """WCAG contrast ratio of two hexadecimal colours."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_the_decision_is_seen_without_scrolling_and_comes_first(tab, page):
    tab.open(page, width=1280, height=800)
    ends = tab.run("document.querySelector('.decision').getBoundingClientRect().bottom")
    assert ends <= 800
    order = "document.querySelector('.decision').compareDocumentPosition(document.querySelector('figure'))"
    assert tab.run(order) & 4  # the figure follows
    assert tab.run("document.querySelectorAll('.decision dt').length") == 5


def test_nothing_runs_over_the_edge_from_small_phones_to_wide_screens(tab, page):
    for width in (360, 768, 1600):
        tab.open(page, width=width)
        tab.run("for (const each of document.querySelectorAll('details')) each.open = true")
        assert tab.run("document.scrollingElement.scrollWidth") <= width, width


def test_a_long_name_of_a_class_runs_over_no_edge(tab, tmp_path, monkeypatch):
    monkeypatch.setattr("synthetic.NAMES", ("L" * 60, *NAMES[1:]))
    page = write_report(write_study(tmp_path / "s", seeds=1), resamples=100, formats=[])["report.html"]
    tab.open(page, width=390)
    tab.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert tab.run("document.scrollingElement.scrollWidth") <= 390
