"""What a report computes from codes of very many rows, against the plain definition of it."""

import gc
import math
import re
import weakref
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from synthetic import write_study

from scar.commands.report import ReportConfig
from scar.evaluation.intervals import corrected_interval
from scar.job.metrics import Metric
from scar.job.rows import MIX_STAGE, PREDICTIONS, ROUND_STAGE, Rows, load_predictions, write_rows
from scar.reporting import study_job
from scar.reporting.axes import (
    as_texts,
    by_seed,
    compensated_mean,
    has_rows,
    mean,
    numbers,
    pick,
    seeds_of,
    select,
    varying_axes,
)
from scar.reporting.comparison import compare
from scar.reporting.content import gather
from scar.reporting.figures.style import Drawing
from scar.reporting.formats import page
from scar.reporting.formats.card import make_cards
from scar.reporting.formats.page import render_page
from scar.reporting.formats.terminal import plain_text
from scar.reporting.study_folder import load_study
from scar.reporting.tables.characteristics import foundation_of, foundations
from scar.reporting.tables.encoder_agreement import _middle, _ranks
from scar.reporting.tables.encoder_verdicts import log_ratios
from scar.reporting.tables.flags import EXPLANATIONS, NOTHING, TO_DO, flag_lines
from scar.reporting.tables.leaderboard import leaderboards
from scar.reporting.text import listing, name_of, share
from scar.reporting.write import write_report

ENCODERS = ("clip", "efficientnet_lite0", "random_network")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    groups = [("digits", encoder, "image", "natural") for encoder in ENCODERS]
    return write_study(tmp_path_factory.mktemp("outputs") / "plain", groups=groups, seeds=2, ahead=True, n_test=120)


@pytest.fixture(scope="module")
def study(folder):
    return load_study(folder)


@pytest.mark.parametrize("plain", [False, True], ids=["categories", "texts"])
def test_rows_are_picked_as_masks_pick_them(study, plain):
    rows = as_texts(study.rows) if plain else study.rows
    wanted = {"stage": "foundation", "metric": Metric.NEED, "subject": "primary", "seed": 1}
    mask = (rows.stage == "foundation") & (rows.metric == Metric.NEED) & (rows.subject == "primary") & (rows.seed == 1)
    columns = ["seed", "class_id", "class_name", "value", "flag"]
    expected = rows.loc[mask, columns].reset_index(drop=True)
    assert len(expected)
    pd.testing.assert_frame_equal(pick(rows, columns, **wanted), expected)
    pd.testing.assert_frame_equal(select(rows, wanted)[columns].reset_index(drop=True), expected)
    np.testing.assert_array_equal(numbers(rows, **wanted), expected.value)
    np.testing.assert_array_equal(numbers(rows, "class_id", **wanted), expected.class_id.to_numpy(dtype=float))
    sizes = rows[rows.metric == Metric.FOUNDATION_SIZE]
    assert sizes.class_id.isna().all()
    assert np.isnan(numbers(rows, "class_id", metric=Metric.FOUNDATION_SIZE)).all()
    assert pick(rows, columns, metric="none of them").empty
    assert has_rows(rows, metric=Metric.NEED)
    assert not has_rows(rows, metric=Metric.NEED, stage="dataset")
    assert seeds_of(rows) == [0, 1] == seeds_of(rows.iloc[::-1])
    assert by_seed(rows, metric=Metric.N_PRIMARY) == {
        seed: own.value.tolist() for seed, own in rows[rows.metric == Metric.N_PRIMARY].groupby("seed", sort=False)
    }


@pytest.mark.parametrize(
    "values", [[], [1], [1, 1], [1, 2], [None, None], [1, None], [None, 1, 1], ["a", "a"], ["a", "b"], [1.5, math.nan]]
)
def test_an_axis_varies_if_it_holds_more_than_one_value_an_empty_cell_included(values):
    kinds = [object] if any(isinstance(each, str) for each in values) else ["Int16", float]
    for kind in kinds if 1.5 not in values else [float]:
        frame = pd.DataFrame({"axis": pd.Series(values, dtype=kind)})
        assert varying_axes(frame) == (["axis"] if frame["axis"].nunique(dropna=False) > 1 else [])


def test_means_are_those_of_pandas_to_the_last_bit():
    rng = np.random.default_rng(0)
    for count in (1, 2, 7, 20, 133):
        values = rng.lognormal(0, 4, count)
        values[rng.random(count) < 0.2] = np.nan
        series = pd.Series(values)
        assert compensated_mean(values.tolist()) == pytest.approx(
            series.groupby(np.zeros(count)).mean()[0], rel=0, abs=0, nan_ok=True
        )
        assert mean(values) == pytest.approx(float(series.mean()), rel=1e-15, nan_ok=True)
    assert compensated_mean([1.0, math.inf]) == mean(np.array([1.0, math.inf])) == math.inf
    assert math.isnan(compensated_mean([math.nan]))
    assert math.isnan(mean(np.array([])))


def plain_lines(rows, decisive):
    """`flag_lines` row by row."""
    lines = {}
    names = rows[rows.class_id.notna()].drop_duplicates("class_id").set_index("class_id").class_name
    for row in rows.itertuples():
        told = row.stage == "measures" and row.metric == Metric.COVERAGE
        told |= row.metric in (Metric.STEP_SIZE, Metric.COST) or row.stage in (MIX_STAGE, ROUND_STAGE)
        for text in [] if told or not row.flag else row.flag.split(";"):
            flag = re.sub(r"^mean over \d+ of \d+ parts$", "some_parts", text)
            flag, _, number = flag.partition("=")
            flag, _, index = flag.partition(":")
            if flag == "refused_not_asked" or (flag == "met" and not pd.isna(row.class_id)):
                continue
            metric = "forecast" if flag.startswith("refused_") else row.metric
            name = names[int(index)] if index else row.class_name
            own = (metric, row.estimator, row.subject, number, name, row.fraction, row.seed, row.stage)
            lines.setdefault((row.estimator in ("", *decisive), flag), []).append(own)
    said = []
    for (decides, flag), own in lines.items():
        metrics, estimators, subjects, figures, classes, budgets, seeds, stages = zip(*own, strict=True)
        about = listing([each.replace("_", " ") for each in dict.fromkeys(metrics)])
        by = listing([name_of(each) for each in dict.fromkeys(estimators) if each])
        about = f"{about} by {by}" if by else about
        of = listing([name_of(each) for each in dict.fromkeys(subjects) if each] or [stages[0]])
        ends = [f"{end([float(each) for each in figures if each]):.3g}" for end in (min, max) if any(figures)]
        meaning = ", ".join(
            [EXPLANATIONS.get(flag, flag.replace("_", " ")), *([" to ".join(dict.fromkeys(ends))] * bool(ends))]
        )
        where = [listing([each for each in dict.fromkeys(classes) if each])] if any(classes) else []
        budgets = [share(each) for each in sorted({each for each in budgets if not math.isnan(each)})]
        where += [f"at {listing(budgets)}"] if budgets else []
        where += [f"{len(set(seeds))} of {rows.seed.nunique()} seeds"]
        todo = TO_DO.get(flag, "Look at the data") if decides else NOTHING
        said.append((todo, f"{about[0].upper()}{about[1:]} ({of}): {meaning} ({', '.join(where)})."))
    return said


def test_flags_are_told_as_row_by_row(study):
    rows = as_texts(study.of(study.groups()[0])).copy()
    needs = rows.index[(rows.metric == "need") & (rows.subject == "primary")]
    rows.loc[needs[::3], "flag"] = "cannot_tell;extrapolated=7.8"
    rows.loc[needs[1::3], "flag"] = "extrapolated=12.3;met"
    rows.loc[rows.index[rows.stage == "plan"][::2], "flag"] = "unseen:1;refused_too_costly;refused_not_asked"
    rows.loc[rows.index[rows.stage == "measures"][::5], "flag"] = "mean over 1 of 3 parts"
    rows.loc[rows.index[rows.metric == Metric.COST], "flag"] = "random"
    coded = rows.assign(
        **{name: pd.Categorical(rows[name]) for name in ("stage", "subject", "estimator", "metric", "flag")}
    )
    expected = plain_lines(rows, ["heldout"])
    assert len(expected) > 6
    assert flag_lines(rows, ["heldout"]) == flag_lines(coded, ["heldout"]) == expected
    assert flag_lines(rows[rows.flag == ""], ["heldout"]) == []


def test_sizes_of_all_estimators_are_those_of_each(study):
    rows = study.of(study.groups()[0])
    own = rows[(rows.metric == Metric.FOUNDATION_SIZE) & (rows.subject == "primary")]
    found = foundations(rows, "primary")
    assert list(found) == own.estimator.unique().tolist()
    assert found == {name: foundation_of(own[own.estimator == name]) for name in found}
    nothing = foundation_of(own.iloc[:0])
    assert nothing["foundation_flag"] == "missing"
    assert math.isnan(nothing["foundation"])


def test_ratios_of_all_pairs_are_those_of_each():
    rng = np.random.default_rng(0)
    sizes = rng.lognormal(8, 0.3, (5, 6))
    sizes[:, 3] = sizes[:, 2]  # the same: an interval of no width
    sizes[:, 4] = 3 * sizes[:, 2]  # a ratio that varies by rounding alone
    single = 1 - 0.05 / 15
    logs = [np.log(sizes[:, i] / sizes[:, j]) for i, j in combinations(range(6), 2)]
    expected = [corrected_interval(each, test_share=0.0, level=single) for each in logs]
    found = log_ratios(sizes, level=0.95)
    for name, own in zip(("value", "low", "high"), found, strict=True):
        np.testing.assert_allclose(own, [getattr(each, name) for each in expected], rtol=1e-14)


def test_medians_and_ranks_are_those_of_pandas_and_scipy():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, (6, 9)).astype(float)
    values[rng.random(values.shape) < 0.4] = np.nan
    values[:, 0], values[0, 1] = np.nan, np.inf
    for rows in (0, 1, 2, 5, 6):
        frame = pd.DataFrame(values[:rows], columns=range(9))
        pd.testing.assert_series_equal(_middle(frame), frame.median(axis=0))
    drawn = rng.integers(0, 5, 30).astype(float)
    np.testing.assert_array_equal(_ranks(drawn), rankdata(drawn))


def test_predictions_are_read_as_numpy_reads_them_once_for_scores_and_boards(folder, study, monkeypatch):
    job = next(folder.glob(f"jobs/*/{PREDICTIONS}")).parent
    with np.load(job / PREDICTIONS) as archive:
        found = load_predictions(job)
        assert found.keys() == set(archive.files)
        for name, each in found.items():
            assert each.dtype == np.int64
            np.testing.assert_array_equal(each, archive[name])
    read = []
    monkeypatch.setattr(
        study_job, "load_predictions", lambda folder, arms: read.append(folder) or load_predictions(folder, arms)
    )
    alone = leaderboards(load_study(folder))
    jobs = len(read)
    fresh = load_study(folder)
    compare(fresh)
    boards = leaderboards(fresh)
    assert len(read) == 2 * jobs == 2 * len(study.jobs)
    assert not fresh._ranked
    for one, other in zip(alone, boards, strict=True):
        pd.testing.assert_frame_equal(one.frame, other.frame)


@pytest.mark.slow
def test_cards_are_of_the_first_groups_and_the_report_says_how_to_have_all(study, folder, tmp_path):
    all_of_them = gather(study, resamples=100, details=0)
    few = gather(study, resamples=100, details=0, cards=1)
    said = "Cards are of the first 1 of 3 groups; with cards=3 all have one."
    assert said in render_page(few)
    assert said in " ".join(plain_text(few).split())
    assert "Cards are of" not in render_page(all_of_them) + plain_text(all_of_them)
    every = make_cards(study, few.comparison, answers=few.answers, known=few.caveats)
    first = make_cards(study, few.comparison, answers=few.answers, known=few.caveats, most=1)
    assert list(first) == list(every)[:1]
    (one,), (other, *_) = first.values(), every.values()
    assert (one.title, one.caveats, one.answers) == (other.title, other.caveats, other.answers)
    files = write_report(folder, output=tmp_path, resamples=100, details=0, cards=1)
    assert len([name for name in files if name.startswith(("card", "croissant"))]) == 2
    files = write_report(folder, output=tmp_path, resamples=100, details=0, cards=0)
    assert not [name for name in files if name.startswith(("card", "croissant"))]
    assert not [*tmp_path.glob("card*")]
    with pytest.raises(ValueError, match=r"cards=-1 must not be negative"):
        ReportConfig(cards=-1)


@pytest.mark.slow
def test_as_many_sections_are_shown_as_fit_with_few_tries(study, monkeypatch):
    content = gather(study, resamples=100, details=3)
    whole, tried = len(render_page(content).encode()), []
    open_template = page.open_template

    class Counted:
        def __init__(self, name):
            self.template = open_template(name)

        def render(self, **shown):
            tried.append(len(shown["page"].details))
            return self.template.render(**shown)

    monkeypatch.setattr(page, "open_template", Counted)
    for limit, sections, tries in ((whole, 3, [3, 3]), (whole - 1, 2, [3, 0, 2, 2, 2]), (1, 0, [3, 0, 0])):
        monkeypatch.setattr(page, "PAGE_BYTES", limit)
        text = render_page(content)
        assert text.count('<h2 id="detail') == sections
        assert tried == tries
        assert (f"own: {3 - sections} because a page holds" in text) == (sections < 3)
        tried.clear()


@pytest.mark.slow
def test_figures_are_let_go_as_they_are_written(study, monkeypatch):
    kept = gather(study, resamples=100, details=1)
    figures = []
    finish = Drawing.finish
    monkeypatch.setattr(
        Drawing, "finish", lambda self, kinds: figures.append(weakref.ref(self.figure)) or finish(self, kinds)
    )
    written = gather(study, resamples=100, details=1, formats=["svg"])
    gc.collect()
    assert len(figures) == len(written.drawings) == len(kept.drawings) > 3
    assert not any(each() for each in figures)
    for one, other in zip(kept.drawings, written.drawings, strict=True):
        assert one.name == other.name
        assert one.inline_svg() == other.inline_svg()


def test_a_report_leaves_the_collector_of_cycles_as_it_was(folder, tmp_path):
    assert gc.isenabled()
    write_report(folder, output=tmp_path, resamples=100, details=0, formats=())
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_integers_that_need_more_bits_than_others_are_kept(tmp_path):
    for name, n in (("a", 7), ("b", 40_000), ("c", 2**40)):
        rows = Rows(study="s", job=name, dataset="d", encoder="e", modality="image", regime="natural", mix="", seed=0)
        rows.add(Metric.N_PRIMARY, 1.0, stage="dataset", n=n, subject=name)
        (tmp_path / "s" / "jobs" / name).mkdir(parents=True)
        (tmp_path / "s" / "jobs" / name / "status.json").write_text('{"status": "done"}')
        write_rows(rows, tmp_path / "s" / "jobs" / name / "rows.parquet")
        own = load_study(tmp_path / "s").rows
        assert own.n.tolist()[-1] == n
    assert own.n.tolist() == [7, 40_000, 2**40]
    assert own.n.dtype == "Int64"
    assert own.seed.dtype == "Int16"
