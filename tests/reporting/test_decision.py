"""The decision: five sentences, made in one place, shown by page, card, terminal and answers."""

import html
import json
import math
from dataclasses import replace

import pytest
from omegaconf import OmegaConf
from synthetic import write_study
from test_report_inspection import add_inspection

from scar.job.metrics import Metric
from scar.reporting.axes import as_texts
from scar.reporting.comparison import compare
from scar.reporting.content import gather
from scar.reporting.decision import Correction, Facts, Interval, Purchase, decide
from scar.reporting.decision_facts import gather_facts
from scar.reporting.formats.card import make_cards, render_card
from scar.reporting.formats.page import commands, render_page
from scar.reporting.formats.terminal import plain_text
from scar.reporting.study_folder import load_study
from scar.reporting.summary import answer
from scar.reporting.tables.caveats import by_what_to_do, collect_caveats
from scar.reporting.tables.flags import MORE, NOTHING

PLAN = Purchase(planner="tempered", added=[("Boot", 3), ("Bag", 9), ("Coat", 0)], budget="10 % of the reserve")
FACTS = Facts(
    what="the primary set", samples=1000, classes=3, score=Interval(value=0.8, low=0.78, high=0.82), tested=400, raw=0.75,
    estimator="recommended", needed=Interval(value=4000.0, low=2000.0, high=math.inf), chance=0.02, ahead=(4, 0.6),
    purchase=PLAN, how_to_look="scar experiment=inspect", planner="tempered filling", encoder="pixels",
)  # fmt: skip


def squeezed(text):
    return " ".join(text.split())


def test_page_card_and_terminal_show_the_same_sentences(study):
    content = gather(study, resamples=100)
    (card,) = make_cards(study, content.comparison).values()
    sentences = [sentence for _, sentence in content.answers[0].decision.items()]
    assert len(sentences) == 5
    page = html.unescape(render_page(content)).replace("\u00a0%", " %")
    for sentence in sentences:
        assert sentence in page
        assert sentence in render_card(card)
    terminal = squeezed(plain_text(content))
    for question, sentence in content.answers[0].decision.items():
        assert squeezed(f"{question} {sentence}") in terminal
    assert page.index(html.unescape(sentences[0])) < page.index("<figure")


def test_the_text_file_has_no_codes_of_a_terminal_wherever_it_is_made(study, monkeypatch):
    content = gather(study, resamples=100)
    plain = plain_text(content)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as notebooks and servers of tests do
    assert plain_text(content) == plain
    assert "\x1b" not in plain


def test_the_numbers_are_those_of_the_comparison(study):
    comparison = compare(study)
    (group,) = study.groups()
    said = answer(study, comparison, group).decision
    arm = comparison.arms.query("subject == 'primary' and metric == 'matched_balanced_accuracy'").iloc[0]
    assert f"{100 * arm.value:.1f} % [{100 * arm.low:.1f}, {100 * arm.high:.1f}] on 400 test items" in said.quality
    gains = comparison.gains[comparison.gains.fraction == 0.25].set_index("first")
    rows = study.rows
    reached = {
        name: rows[
            (rows.metric == arm.metric) & (rows.subject == name) & rows.fraction.isin([0.25, math.nan])
        ].value.mean()
        for name in ("scar", "random")
    }
    base = rows[(rows.metric == arm.metric) & (rows.subject == "primary")].value.mean()
    for name, value in reached.items():
        assert gains.value[name] == pytest.approx(value - base)
    assert f"+{100 * gains.value['scar']:.2f} points" in said.buy


@pytest.mark.parametrize(
    ("chance", "verdict"),
    [
        (0.95, "Enough: the chance that 1\u202f000 samples are enough is 95 %;"),
        (0.02, "Not enough: "),
        (0.4, "Cannot tell: "),
    ],
)
def test_enough_says_how_sure(chance, verdict):
    said = decide(replace(FACTS, chance=chance)).enough
    assert said.startswith(verdict)
    assert ("60 % with 4 times" in said) == (chance < 0.9)


def test_without_a_chance_it_says_that_nobody_knows_how_sure():
    assert decide(replace(FACTS, chance=math.nan)).enough.startswith("Not enough, and how sure is unknown")
    met = Interval(value=0.0)
    assert decide(replace(FACTS, chance=math.nan, needed=met)).enough.startswith("Enough, and how sure is unknown")


@pytest.mark.parametrize(
    ("gain", "head"),
    [
        (Interval(value=0.03, low=0.01, high=0.05), "Yes: 12 samples by tempered filling (10 % of the reserve): Bag +9 and Boot +3"),
        (Interval(value=0.03, low=-0.01, high=0.07), "Not shown to pay: "),
        (Interval(value=-0.03, low=-0.05, high=-0.01), "No, it was worse: "),
        (None, "Whether it pays is not shown; the plan: "),
    ],
)  # fmt: skip
def test_a_purchase_is_called_what_its_interval_allows(gain, head):
    assert decide(replace(FACTS, purchase=replace(PLAN, measured=gain))).buy.startswith(head)


def test_what_is_not_forecast_says_why():
    said = decide(replace(FACTS, purchase=replace(PLAN, why_no_forecast="nothing is held out"))).buy
    assert said.endswith("not forecast: nothing is held out.")


def test_what_costs_nothing_counts_what_an_inspection_found(tmp_path):
    folder = write_study(tmp_path / "quick", seeds=2)
    study = load_study(folder)
    (group,) = study.groups()
    assert "nobody looked for wrong labels and duplicates" in answer(study, compare(study), group).decision.free
    job = add_inspection(folder)
    (job / "config.yaml").write_text((job / "config.yaml").read_text().replace("pixels", "efficientnet_lite0"))
    said = answer(load_study(folder), compare(study), group).decision.free
    assert "relabelling 7 suspects moves accuracy by +0.65 points [−0.13, +1.41]" in said
    assert "removing 2 duplicates, whose effect was not measured" in said
    assert "nobody looked" not in said
    assert "removing 1 duplicate," in decide(replace(FACTS, looked=True, remove=Correction(samples=1))).free


def tell_jobs(folder, overrides, *, encoder="pixels", **dataset):
    """Let every job of a study have been told these overrides, and read these data."""
    for path in folder.glob("jobs/*/status.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"overrides": overrides}))
        config = OmegaConf.create({"dataset": dataset, "encoder": {"name": encoder}})
        OmegaConf.save(config, path.parent / "config.yaml")


def decision_of(folder):
    study = load_study(folder)
    return answer(study, compare(study), study.groups()[0]).decision


def test_the_proposed_inspection_reads_the_data_that_the_jobs_read(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    told = [
        "seed=0",
        "dataset=table",
        "dataset.root=my notes.csv",
        "encoder=pixels",
        "subsets=quick",
        "paths.output_dir=out",
    ]
    tell_jobs(folder, told, name="table", root="my notes.csv", train_size=None)
    command = "scar experiment=inspect dataset=table 'dataset.root=my notes.csv' encoder=pixels paths.output_dir=out study=s does."
    assert command in decision_of(folder).free
    tell_jobs(folder, ["experiment=quickstart"], name="fashion_mnist", train_size=900, test_size=None)
    command = "dataset=fashion_mnist encoder=efficientnet_lite0 dataset.train_size=900 study=s does."
    assert command in decision_of(folder).free


def test_an_inspection_of_a_table_counts_for_the_study_that_is_called_as_the_table(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    inspected = add_inspection(folder)
    tell_jobs(folder, ["dataset=table"], name="table", root="notes.csv")
    assert "relabelling 7 suspects" in decision_of(folder).free
    config = OmegaConf.create({"dataset": {"name": "table", "root": "other.csv"}, "encoder": {"name": "pixels"}})
    OmegaConf.save(config, inspected / "config.yaml")
    assert "nobody looked" in decision_of(folder).free


def test_the_planner_to_use_beat_random_draws_or_the_text_says_that_none_did(tmp_path):
    gain = {"scar": 0.09, "random": 0.03, "class_average": 0.05}
    study = load_study(write_study(tmp_path / "s", seeds=8, n_test=1500, gain=gain))
    said = answer(study, compare(study), study.groups()[0]).decision
    assert said.use.startswith("Planner: SCAR, +")
    assert "over random draws at 25 % of the reserve, the most of 3 tried" in said.use
    assert said.buy.startswith("Yes: ")
    same = load_study(write_study(tmp_path / "t", seeds=3, gain=dict.fromkeys(gain, 0.03)))
    said = answer(same, compare(same), same.groups()[0]).decision
    assert "none of 2 was shown to be better than random draws" in said.use


def test_verdicts_that_repeat_become_one_line_with_the_range(tmp_path):
    gain = {"scar": 0.02, "random": 0.09, "class_average": 0.09}
    study = load_study(write_study(tmp_path / "s", seeds=8, n_test=1500, gain=gain))
    worse = [line for line in answer(study, compare(study), study.groups()[0]).benefit if "worse" in line]
    assert len(worse) == 1
    assert "SCAR against random and class average, 6 comparisons at 5 %, 10 % and 25 %: worse: −" in worse[0]


def test_caveats_are_grouped_by_what_to_do_and_those_of_other_estimators_ask_for_nothing(study):
    rows = as_texts(study.rows)
    for estimator, flag in (("heldout", "few_samples"), ("reference", "few_samples"), ("heldout", "met")):
        own = rows.index[
            (rows.metric == "foundation_size") & (rows.estimator == estimator) & (rows.subject == "primary")
        ]
        rows.loc[own, "flag"] = rows.loc[own, "flag"] + f";{flag}"
    found = by_what_to_do(collect_caveats(replace(study, rows=rows)))
    assert list(found)[-1] == NOTHING
    assert sum("too few samples, in training" in each.what for each in found[MORE]) == 1
    assert any("reference" in each.what and "too few samples" in each.what for each in found[NOTHING])
    assert any("already within the tolerance" in each.what for each in found[NOTHING])


def test_of_many_groups_the_first_decision_is_open_and_the_others_say_their_verdict(tmp_path):
    regimes = ("natural", "long_tailed", "noisy_10", "shift")
    groups = [("digits", "pixels", "image", regime) for regime in regimes]
    content = gather(load_study(write_study(tmp_path / "s", seeds=1, groups=groups)), resamples=50, details=0)
    page = render_page(content)
    assert page.count('<dl class="decision">') == 4
    for answers in content.answers[1:]:
        assert f"<summary>{answers.label}: {answers.decision.verdict}</summary>" in page
    assert decide(replace(FACTS, chance=0.4)).verdict == "cannot tell"


def test_labels_that_are_worse_than_those_held_out_are_named_where_no_size_follows():
    facts = replace(FACTS, needed=Interval(value=math.nan), chance=0.4)
    told = "because labels that are trained on look worse than those held out"
    assert told in decide(replace(facts, worse_labels=True)).enough
    assert told not in decide(facts).enough


@pytest.mark.parametrize("flag", ["cannot_tell;gap_negative", "cannot_tell"])
def test_a_gap_below_zero_on_every_seed_is_a_fact_of_the_decision(study, flag):
    rows = as_texts(study.rows)
    about = (rows.metric == Metric.FOUNDATION_SIZE) & rows.class_id.isna()
    rows.loc[about, "flag"] = flag
    changed = replace(study, rows=rows)
    comparison = compare(changed)
    facts = gather_facts(changed, comparison, changed.groups()[0])
    assert facts.worse_labels == ("gap_negative" in flag)


def test_a_size_that_cannot_be_told_is_not_enough_however_likely():
    unclear = replace(FACTS, needed=Interval(value=math.nan, low=0.0, high=0.0), chance=0.999)
    assert decide(unclear).verdict == "cannot tell"
    assert decide(replace(unclear, needed=Interval(value=0.0))).verdict == "enough"


def test_several_labels_are_not_called_classes_and_no_inspection_is_proposed_that_refuses_them():
    said = decide(replace(FACTS, several=True, how_to_look=""))
    assert "3 labels)" in said.quality
    assert "nobody looked for wrong labels and duplicates; the inspection is of samples of one class each" in said.free


def test_one_planner_beside_random_draws_is_not_none_of_two(tmp_path):
    gain = dict.fromkeys(("scar", "random", "class_average"), 0.03)
    study = load_study(write_study(tmp_path / "s", seeds=3, gain=gain))
    study = replace(study, rows=study.rows[study.rows.subject != "class_average"])
    said = answer(study, compare(study), study.groups()[0]).decision.use
    assert "SCAR, the only one tried beside random draws, and not shown to be better at 25 %" in said
    assert "(0.00 points)" in said


def test_matching_that_lowers_the_score_is_not_recommended():
    said = decide(replace(FACTS, raw=0.85))
    assert "would lower balanced accuracy from 85.0 to 80.0 %, so that raw ones do better" in str(said)


def test_a_class_whose_name_is_a_number_is_told_from_how_many_are_bought():
    plan = replace(PLAN, added=(("0", 9), ("7", 3), ("cat 2", 1)))
    assert ": class 0 +9, class 7 +3 and cat 2 +1" in decide(replace(FACTS, purchase=plan)).buy


def test_the_command_of_the_report_says_where_the_study_lies(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    assert commands(load_study(folder))[-1] == "scar-report study=s"
    for path in folder.glob("jobs/*/status.json"):
        status = json.loads(path.read_text())
        path.write_text(
            json.dumps(status | {"overrides": [*status.get("overrides", []), "paths.output_dir=elsewhere"]})
        )
    assert commands(load_study(folder))[-1] == "scar-report study=s paths.output_dir=elsewhere"
