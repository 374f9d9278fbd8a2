"""What other budgets and planners would bring: the steps are the rows, and the page shows the steps."""

import json

import pytest
from browser import browser
from synthetic import write_study

from scar.reporting.study_folder import load_study
from scar.reporting.tables.whatif_table import CLASSES, SOURCES, TOWARDS, whatif_json, whatif_steps, whatif_table
from scar.reporting.text import count
from scar.reporting.write import write_report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("outputs") / "quick", seeds=2, classes=10, ahead=True)


@pytest.fixture(scope="module")
def steps(folder):
    study = load_study(folder)
    return whatif_steps(study, study.groups()[0], seed=0)


def test_every_step_says_what_the_rows_say(folder, steps):
    rows = load_study(folder).rows
    assert len(steps) == 3 * 2 * 3 + 3 * 3  # planners, sources, budgets; target mixes, budgets
    for stage, source in list(SOURCES.items())[:2]:
        at = rows[(rows.stage == stage) & (rows.subject == "scar") & (rows.fraction == 0.25)]
        (step,) = [s for s in steps if (s.source, s.planner, s.fraction) == (source, "SCAR", 0.25)]
        plan = at[at.metric == "what_if_added"].sort_values("value", ascending=False)
        assert step.added == step.cost == plan.value.sum()
        assert step.classes[0] == (plan.class_name.iloc[0], plan.value.iloc[0])
        assert dict(step.classes) == dict(zip(plan.class_name, plan.value, strict=True))
        gain = at[at.metric == "expected_matched_balanced_gain"].iloc[0]
        shown = f"{100 * gain.value:+.2f} points [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]".replace("-", "−")
        assert step.balanced == shown


def test_what_is_not_forecast_says_why_and_nobody_asked_shows_nothing(steps, study):
    (refused,) = {s.balanced for s in steps if s.source == SOURCES["collect"] and s.fraction == 1.0}
    assert refused.startswith("not forecast: more than 2.5 times the samples")
    assert whatif_steps(study, study.groups()[0], seed=0) == []


def test_the_command_is_that_of_the_job_with_the_budget_in_place_of_its_own(steps):
    (one,) = [s for s in steps if (s.source, s.planner, s.fraction) == (SOURCES["plan"], "random", 0.02)]
    assert one.command == "scar seed=0 completion=random subsets=quick 'budgets.fractions=[0.02]' study=what_if"
    (far,) = [s for s in steps if (s.source, s.planner, s.fraction) == (SOURCES["collect"], "random", 0.02)]
    assert far.command.endswith(f" budgets.collect={far.cost:g} study=what_if")


def test_target_mixes_are_named_and_come_with_the_tau_that_makes_them(steps):
    towards = [s for s in steps if s.mix]
    assert {s.planner for s in towards} == {TOWARDS}
    assert list(dict.fromkeys(s.mix for s in towards)) == ["equal classes", "between, τ = 0.5", "the mix of use"]
    assert len({count for _, count in towards[0].classes}) == 1
    assert towards[-1].classes[0][1] > towards[-1].classes[-1][1]
    assert towards[-1].command == (
        "scar seed=0 subsets=quick completion=tempered completion.tau=1 'budgets.fractions=[1]' study=what_if"
    )


def test_many_classes_are_counted_and_no_name_ends_the_script(tmp_path, monkeypatch):
    names = tuple(f"class {n}" for n in range(30))
    monkeypatch.setattr("synthetic.NAMES", ("</script><b>", *names))
    study = load_study(write_study(tmp_path / "s", seeds=1, classes=30, strategies=("random",), ahead=True))
    steps = whatif_steps(study, study.groups()[0], seed=0)
    assert len(steps[-1].classes) == CLASSES
    assert steps[-1].others.endswith("of 10 more classes")
    text = whatif_json(steps)
    assert "</script" not in text
    assert json.loads(text)[0]["classes"][0][0] == "</script><b>"
    assert len(whatif_table(steps, group=study.groups()[0], seed=0).cells) == len(steps)


BOX = "document.querySelector('.whatif')"
SHOWN = f"""(() => {{ const box = {BOX}; const text = (name) => box.querySelector(`[data-shows=${{name}}]`).textContent;
  const mix = box.querySelector("[name=target]");
  return {{planner: box.querySelector("select").value, mix: mix.offsetParent ? mix.textContent : "", source: box.querySelector("[name=source]").value,
    budget: box.querySelector("[name=budget]").textContent, samples: text("samples"), cost: text("cost"),
    balanced: text("balanced"), accuracy: text("accuracy"), command: text("command"),
    classes: [...box.querySelectorAll(".bars li")].map((line) => [line.children[0].textContent, line.children[2].textContent])}};
}})()"""


@pytest.fixture(scope="module")
def page(folder):
    return write_report(folder, resamples=100, formats=[])["report.html"]


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def equal(shown, step, price=1):
    return shown == {
        "planner": step.planner, "mix": step.mix, "source": step.source, "budget": step.budget, "samples": step.samples,
        "cost": count(step.cost * price), "balanced": step.balanced, "accuracy": step.accuracy, "command": step.command,
        "classes": [[name, f"+{count(added)}"] for name, added in step.classes],
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_the_sliders_show_every_step_as_python_does(tab, page, steps, width):
    tab.open(page, width=width)
    assert tab.complaints() == []
    mixes = list(dict.fromkeys(s.mix for s in steps if s.mix))
    for step in steps:
        own = [s for s in steps if (s.source, s.planner, s.mix) == (step.source, step.planner, step.mix)]
        tab.run(f"""(() => {{ const box = {BOX}; box.querySelector("select").value = {json.dumps(step.planner)};
          box.querySelector("[name=source]").value = {json.dumps(step.source)};
          box.querySelector("[name=mix]").value = {mixes.index(step.mix) if step.mix else 0};
          const slider = box.querySelector("[name=step]"); slider.value = {own.index(step)};
          slider.dispatchEvent(new Event("input", {{bubbles: true}})); }})()""")
        assert equal(tab.run(SHOWN), step)
    assert tab.run("document.scrollingElement.scrollWidth") <= width
    assert tab.complaints() == []
    assert tab.requests() == []


@pytest.mark.slow
def test_it_starts_at_the_plan_of_the_decision_and_the_keyboard_moves_it(tab, page, steps):
    tab.open(page, width=1280)
    first = tab.run(SHOWN)
    assert first["budget"] == "25 % of the reserve"
    assert f"samples by {first['planner']} (25\u00a0% of the reserve" in tab.run(
        "document.querySelector('.decision').textContent"
    )
    own = [s for s in steps if (s.planner, s.source) == (first["planner"], first["source"])]
    tab.run(f"{BOX}.querySelector('[name=step]').focus()")
    tab.press("Home")
    assert equal(tab.run(SHOWN), own[0])
    tab.press("ArrowRight")
    assert equal(tab.run(SHOWN), own[1])
    tab.run(f"{BOX}.querySelector('[name=at]').focus()")
    tab.press("ArrowRight")
    assert equal(tab.run(SHOWN), own[1], price=2)
    tab.run(f"{BOX}.querySelector('.copy').click()")
    assert (
        tab.run("new Promise((r) => setTimeout(() => r(document.querySelector('.whatif .copy').textContent), 300))")
        != "copy"
    )


@pytest.mark.slow
def test_without_scripts_there_is_the_table(tab, page, steps):
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page, width=390)
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
        assert tab.run(f"{BOX}.offsetHeight") == 0
        assert tab.run("document.querySelectorAll('.whatif-table tbody tr').length") == len(steps)
        assert tab.run("document.querySelector('.whatif-table table').offsetHeight") > 100
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
