"""What is measured again of each experiment, and how near it has to come to its ``expected.csv``."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.common import DATASETS, OWN
from experiments.expected import ROOT, Tolerance, of_one_seed
from experiments.indicators import run as indicators
from experiments.need_bank.bank import read_bank
from experiments.need_bank.score import score_bank, summarize
from experiments.pairs.table import direction_table
from experiments.scale_invariance import run as scale_invariance
from scar.completion.forecast_settings import SCORES
from scar.reporting.comparison import compare
from scar.reporting.paper.against import other_encoders
from scar.reporting.paper.published_rows import ARMS as ARMS_OF_TABLE_2
from scar.reporting.study_folder import load_study
from scar.reporting.tables.leaderboard import leaderboards
from scar.reporting.text import count, percent, percent_interval, points, points_interval
from scar.store.store import Store
from scar.studies.common import compose_config
from scar.studies.forecast import forecast_study
from scar.studies.foundation_subset import foundation_subset_study
from scar.studies.indicators.indicator_settings import IndicatorStudy
from scar.studies.need import need_study
from scar.studies.reduction.arms import ARMS
from scar.studies.reduction.reduction_measures import truth_of
from scar.studies.reduction.rival_stages import RivalStages
from scar.studies.rounds import rounds_study

STORE = Path(os.environ.get("SCAR_STORE") or ROOT.parent / "outputs" / "store")
WORDNET = {"wordnet_glosses": DATASETS["wordnet_glosses"]}
AG_NEWS = {"ag_news": OWN["ag_news"]}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is measured again of an experiment.

    Attributes:
        data: overrides that name the dataset it reads.
        measure: output folder → the part in the columns of ``expected.csv``.
        keys: columns that tell its rows from one another.
        tolerances: by column.
        claims: expected rows → texts that its README has to hold.
    """

    data: tuple[str, ...]
    measure: Callable[[Path], pd.DataFrame]
    keys: tuple[str, ...]
    tolerances: Mapping[str, Tolerance]
    claims: Callable[[pd.DataFrame], list[str]]


def scar(*overrides: str, out: Path) -> None:
    """Run the command of an experiment on less."""
    paths = f"paths.output_dir={out}", f"paths.store_dir={STORE}"
    lean = "report=false", "forecast.compositions=0", "trainer.threads=1"
    command = [sys.executable, "-m", "scar.commands.run", "-m", *overrides, *paths, *lean]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def signed(value: float, low: float, high: float, *, digits: int = 2) -> str:
    return f"{points(value, digits)} {points_interval(low, high, digits)}"


# Quickstart: two of ten seeds, two of four strategies. The mean of some seeds is no further from that of all than the
# largest seed is from the smallest.


def quickstart(out: Path) -> pd.DataFrame:
    scar("experiment=quickstart", "seed=0,1", "completion=scar,random", out=out)
    table = compare(load_study(out / "quickstart")).differences
    return table[~table.metric.str.endswith("worst_class_accuracy")]


def text_part(out: Path) -> pd.DataFrame:
    scar("experiment=text", "seed=0,1", "completion=scar,random", out=out)
    table = compare(load_study(out / "text")).differences
    return table[~table.metric.str.endswith("worst_class_accuracy")]


def quickstart_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[expected.metric.isin(["matched_balanced_accuracy", "accuracy"]) & (expected.second != "primary")]
    return [signed(row.value, row.low, row.high) for row in shown.itertuples()]


# Pairs: one of six directions, all seeds, one of four strategies, so that the numbers are the same.


def pairs(out: Path) -> pd.DataFrame:
    scar("experiment=pairs", "modality=text", "seed=range(5)", "completion=random", out=out)
    return direction_table([out / "pairs"])


def pairs_claims(expected: pd.DataFrame) -> list[str]:
    names = [f"{a}_minus_{b}" for a, b in (("scar", "random"), ("scar", "class_average"), ("joint", "random"))]
    shown = expected[expected.fraction == 0.25].to_dict("records")
    return [signed(row[name], row[f"{name}_low"], row[f"{name}_high"]) for row in shown for name in names]


# Encoders: two of four on one dataset, two of five seeds; half of the interval is allowed.


def encoders(dataset: str) -> Callable[[Path], pd.DataFrame]:
    def measure(out: Path) -> pd.DataFrame:
        few = f"dataset={dataset}", "encoder=wordllama,tfidf", "seed=0,1", "completion=random"
        scar("experiment=encoders_text", *few, out=out)
        (board,) = leaderboards(load_study(out / "encoders_text"))
        return board.frame.assign(dataset=board.group["dataset"])

    return measure


def half_of(measure: str) -> Tolerance:
    return lambda row: (row[f"{measure}_high"] - row[f"{measure}_low"]) / 2


def encoders_claims(expected: pd.DataFrame) -> list[str]:
    rows = expected.to_dict("records")
    return [
        f"{percent(row[name])} {percent_interval(row[f'{name}_low'], row[f'{name}_high'])}"
        for row in rows
        for name in ("matched_balanced_accuracy", "accuracy")
    ]


# Scale invariance: one of two datasets, one of six seeds.


def scale_part(datasets: Mapping[str, tuple[str, ...]]) -> Callable[[Path], pd.DataFrame]:
    return lambda out: scale_invariance.run(datasets, seeds=(0,), store=STORE, out=out)


def scale_claims(expected: pd.DataFrame) -> list[str]:
    drifts = expected[(expected.kind == "measure") & (expected.quantity != "wrong_decisions")]
    sizes = expected[(expected.kind == "size") | (expected.quantity == "wrong_decisions")]
    texts = [tuple(f"{100 * (v - 1):+.1f}" for v in (r.factor, r.low, r.high)) for r in drifts.itertuples()]
    return [f"{v} % [{low}, {high}]" for v, low, high in texts] + [
        f"{row.factor:.2f} [{row.low:.2f}, {row.high:.2f}]" for row in sizes.itertuples()
    ]


# Indicators: one of two datasets, one of five seeds, the linear head. No seed is known to differ from the mean by more
# than 0.16 in a rank correlation and 1.4 points in a difference.


def indicators_part(out: Path) -> pd.DataFrame:
    few = replace(IndicatorStudy(), seeds=1, mlp_seeds=0, foundation_seeds=0)
    chosen = {"wordnet_glosses": indicators.DATASETS["wordnet_glosses"]}
    return indicators.run(chosen, few, store=STORE, out=out)


def indicators_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[(expected.outcome == "accuracy") & (expected["head"] == "linear") & expected.value.notna()]
    ranks = shown[(shown.kind == "kendall") & (shown.what != "richness") & ~shown.against.eq("label sets")]
    shown = shown[~shown.kind.eq("H against V") | shown.what.str.endswith("same dataset")]
    kinds = ("H against V", "skew against balance", "tail raised")
    texts = [signed(row.value / 100, row.low / 100, row.high / 100) for row in ranks.itertuples()]
    return texts + [
        signed(row.value, row.low, row.high, digits=1) for row in shown[shown.kind.isin(kinds)].itertuples()
    ]


# The need study: one of two datasets, one of eight seeds, one of two plans, the classes. The seeds' own medians are up
# to 0.39 from those of all seeds.


def need_part(datasets: dict[str, tuple[str, ...]], seeds: int = 1) -> Callable[[Path], pd.DataFrame]:
    def measure(out: Path) -> pd.DataFrame:
        settings = need_study.NeedStudySettings(datasets=datasets, seeds=tuple(range(seeds)), plans=("quick",))
        table = need_study.run_study(settings, store=Store(STORE), out=out)
        return table[(table.subject == "class") & (table.dataset != "all") & (table.question == "gap")]

    return measure


def need_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[(expected.dataset == "all") & ((expected.question == "gap") | (expected.estimator != "twice"))]
    shown = shown[(shown.estimator != "other_seed") | (shown.question == "gap")]
    return [f"{row.median:.2f} [{row.median_low:.2f}, {row.median_high:.2f}]" for row in shown.itertuples()]


def need_claims_by_dataset(expected: pd.DataFrame) -> list[str]:
    shown = expected[(expected.dataset != "all") & (expected.question == "gap")]
    return [f"{row.median:.2f} [{row.median_low:.2f}, {row.median_high:.2f}]" for row in shown.itertuples()]


def bank_part(_: Path) -> pd.DataFrame:
    bank = read_bank()
    table = summarize(score_bank(bank[bank.dataset == "digits"]))
    return table[table.dataset == "digits"]


def bank_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[expected.dataset == "all"]
    return [
        f"{row.median_error:.2f} [{row.median_error_low:.2f}, {row.median_error_high:.2f}]"
        for row in shown.itertuples()
    ]


# Foundation Data: one of ten seeds, two of seven sizes. No seed
# differs from the mean by more than 2.4 points of accuracy and 5.2 of balanced accuracy at these sizes.


def subset_part(out: Path) -> pd.DataFrame:
    config = compose_config(["experiment=foundation_subset", f"paths.store_dir={STORE}", f"paths.output_dir={out}"])
    table, _ = foundation_subset_study.study_subsets(
        config, foundation_subset_study.SubsetStudySettings(seeds=1, shares=(0.1, 0.5), gaps=()), out
    )
    return table


def subset_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[(expected.metric == "accuracy") & ~expected.origin.str.startswith("gap")]
    rows = shown.itertuples()
    return [signed(row.minus_full, row.full_low, row.full_high, digits=1) for row in rows]


FILLING = ("completion=random,class_average,water_filling",)
TWO_POOLS = ("pool.mix=same,complement", "completion=random,class_average,scar")


def planners_part(experiment: str, *overrides: str) -> Callable[[Path], pd.DataFrame]:
    """Two seeds of a study of planners, compared by the scores that the tables show."""

    def measure(out: Path) -> pd.DataFrame:
        scar(f"experiment={experiment}", "seed=0,1", *overrides, out=out)
        table = compare(load_study(out / experiment)).planners
        return table[table.metric.isin(POOLED)]

    return measure


# The completion study: two of ten seeds, one of ten regimes, three of twelve planners. The mean of some seeds is no
# further from that of all than the largest seed is from the smallest.


def completion_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[
        (expected.fraction == 0.25) & (expected.second == "class_average") & (expected["first"] != "oracle")
    ]
    best = shown.loc[shown.groupby(["regime", "metric"]).value.idxmax()]
    return [signed(row.value, row.low_simultaneous, row.high_simultaneous) for row in best.itertuples()]


def completion_own_claims(expected: pd.DataFrame) -> list[str]:
    return [claim for _, own in expected.groupby("dataset") for claim in completion_claims(own)]


def completion_noise_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[(expected.fraction == 0.25) & (expected["first"] == "scar") & (expected.second == "random")]
    balanced = shown[shown.metric.str.endswith("balanced_accuracy")]
    return [*completion_own_claims(expected), *(signed(row.value, row.low, row.high) for row in balanced.itertuples())]


# Table 2: the cheapest of five pairs, one of three seeds.


def table2_part(*data: str) -> Callable[[Path], pd.DataFrame]:
    def measure(out: Path) -> pd.DataFrame:
        scar("experiment=table2", *data, "seed=0", out=out)
        return other_encoders(load_study(out / "published"))

    return measure


def table2_claims(expected: pd.DataFrame) -> list[str]:
    texts = []
    for row in expected.to_dict("records"):
        arms = (f"{100 * row[f'{arm}_mean']:.2f} ± {100 * row[f'{arm}_range']:.2f}" for arm in ARMS_OF_TABLE_2)
        size = count(row["foundation"])
        texts += [f"{row['coverage']:.3f} | {row['authenticity']:.3f}", f"| {size} |", *arms]
    return texts


# Forecasts: one of seven datasets, all regimes and seeds, so that the numbers are the same.


def forecast_part(out: Path) -> pd.DataFrame:
    digits = {"digits": forecast_study.FRESH["digits"]}
    shared = ["forecast.seeds=all", f"forecast.scores=[{','.join(SCORES)}]", "trainer.threads=1"]
    settings = forecast_study.ForecastStudySettings(datasets=digits)
    table = forecast_study.run_study(settings, store=Store(STORE), out=out, shared=shared)
    return table[table.dataset == "digits"]


def forecast_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[(expected.dataset == "every") & expected.held.notna()]
    return [f"{row.held:.2f} [{row.held_low:.2f}, {row.held_high:.2f}]" for row in shown.itertuples()]


# Rounds: one of two datasets, one of two regimes, one of four seeds, the first round of each way.


def rounds_part(out: Path) -> pd.DataFrame:
    config = compose_config(["experiment=rounds", f"paths.store_dir={STORE}", f"paths.output_dir={out}"])
    chosen = {"wordnet_glosses": rounds_study.DATASETS["wordnet_glosses"]}
    few = rounds_study.RoundsStudySettings(datasets=chosen, regimes=("natural",), seeds=(0,))
    rounds_study.study_rounds(config, few, out)
    table = pd.read_csv(out / "rounds.csv")
    return table[table["round"] == 1]


def rounds_claims(expected: pd.DataFrame) -> list[str]:
    table = rounds_study.summarize(expected, rounds_study.RoundsStudySettings())
    shown = table[(table.way != "double_random") & (table.dataset == "all")]
    shares = [f"{row.ratio:.2f} [{row.ratio_low:.2f}, {row.ratio_high:.2f}]" for row in shown.itertuples()]
    return shares + [f"| {row.cost:.2f} |" for row in table[table.dataset == "all"].itertuples()]


# Pools: one of the data sets, two of three pools, two of eight seeds, three of the planners.


def pools_claims(expected: pd.DataFrame) -> list[str]:
    shown = expected[(expected.fraction == 0.25) & (expected.second == "random")]
    shown = shown[shown.metric.isin(["matched_balanced_accuracy", "balanced_accuracy"])]
    return [points_interval(row.low, row.high) for row in shown.itertuples()]


POOLED = ("matched_balanced_accuracy", "matched_accuracy", "balanced_accuracy", "accuracy")


# Reduction: the pair model of random pairs, one of five seeds; rows of Tables 2b to 2f bear the number of the table, and
# differences both names.


def reduction_part(experiment: str) -> Callable[[Path], pd.DataFrame]:
    def measure(out: Path) -> pd.DataFrame:
        overrides = [f"experiment={experiment}", f"paths.store_dir={STORE}", f"paths.output_dir={out}"]
        stages = RivalStages(compose_config(overrides), Store(STORE))
        arm = next(arm for arm in ARMS if arm.name == "random")
        found = stages.result(arm, 0).values() | truth_of(stages.pairs, stages.rows_of(arm, 0))
        kept = {name: value for name, value in found.items() if name in REDUCED}
        return pd.DataFrame({"case": arm.name, "seed": 0, "metric": list(kept), "value": list(kept.values())})

    return measure


def reduction_claims(expected: pd.DataFrame) -> list[str]:
    between, tables = (expected["case"].str.contains(part, regex=False) for part in (" − ", ": "))
    shown = expected[between].pivot_table(index="case", columns="metric", values="value")
    found = [
        f"{100 * row.difference:+.1f} [{100 * row.low:+.1f}, {100 * row.high:+.1f}] | {row.p_holm:.2g} | {row.p_equivalence:.2g} |"
        for row in shown.itertuples()
    ]
    means = expected[~between].pivot_table(index="case", columns="metric", values="value")
    rows = means[means.index.str.contains(": ", regex=False)].dropna(subset="recall")
    found += [f"| {100 * row.recall:.1f} | {100 * row.tr_at_1:.1f} |" for row in rows.itertuples()]
    chosen = means[means.index.str.contains(": ", regex=False) & means.recall.isna()]
    if "mismatches_kept" in chosen:
        faults = chosen.dropna(subset="mismatches_kept")
        found += [
            f"| {100 * row.mismatches_kept:.1f} | {100 * row.duplicates_kept:.1f} |" for row in faults.itertuples()
        ]
    if "right" in means:
        written = means.dropna(subset=["right", "distinct_ratio"])
        found += [f"| {100 * row.distinct_ratio:.1f} | {100 * row.right:.1f} |" for row in written.itertuples()]
    expected = expected[~between & ~tables]
    arms = expected[expected.metric.isin(["recall", "tr_at_1", "ir_at_1", "zero_shot", "linear_probe"])]
    kept = expected[expected.metric.isin(["recall_150", "recall_300", "mismatches_kept", "duplicates_kept"])]
    found += [f"{100 * mean:.1f} [" for mean in arms.groupby(["case", "metric"]).value.mean()]
    return found + [f"| {100 * mean:.1f} |" for mean in kept.groupby(["case", "metric"]).value.mean()]


REDUCED = {
    "recall": 0.03,
    "tr_at_1": 0.04,
    "tr_at_10": 0.04,
    "ir_at_1": 0.04,
    "ir_at_10": 0.04,
    "zero_shot": 0.06,
    "linear_probe": 0.04,
}
REDUCED |= dict.fromkeys(("mismatches_kept", "duplicates_kept"), 1e-6)
"""The training of a pair model drifts apart on another processor; which pairs are drawn does not."""
EXACT = 1e-6
"""Of numbers that every machine gets alike, and of accuracies, where another processor moves one or two items."""
PARTS = {
    "quickstart": Part(
        data=("dataset=fashion_mnist",), measure=quickstart, claims=quickstart_claims,
        keys=("dataset", "encoder", "first", "second", "fraction", "metric"),
        tolerances={"value": lambda row: row["spread"]},
    ),
    "pairs": Part(
        data=("dataset=emoji_pairs", "modality=text"), measure=pairs, claims=pairs_claims, keys=("dataset", "modality", "metric", "fraction"),
        tolerances=dict.fromkeys(("seeds", "classes", "majority", "added"), EXACT)
        | dict.fromkeys(("primary", "primary_low", "primary_high", "total", "random"), 0.01),
    ),
    "encoders": Part(
        data=("dataset=wordnet_glosses",), measure=encoders("wordnet_glosses"), claims=encoders_claims, keys=("dataset", "encoder"),
        tolerances=dict.fromkeys(("dimension", "bytes_per_sample", "control"), EXACT)
        | {name: half_of(name) for name in ("accuracy", "matched_balanced_accuracy", "authenticity", "scale")},
    ),
    "scale_invariance": Part(
        data=("dataset=wordnet_glosses",), measure=scale_part(WORDNET), claims=scale_claims,
        keys=("dataset", "kind", "quantity", "subset"),
        tolerances={"factor": of_one_seed(6, scale=np.log2)},
    ),
    "indicators": Part(
        data=("dataset=wordnet_glosses",), measure=indicators_part, claims=indicators_claims,
        keys=("dataset", "kind", "outcome", "head", "what", "against"),
        tolerances={"value": lambda row: 0.25 if row["kind"] in ("kendall", "spearman", "gamma") else 0.02},
    ),
    "need_study": Part(
        data=("dataset=wordnet_glosses",), measure=need_part(WORDNET), claims=need_claims,
        keys=("subject", "dataset", "plan", "question", "estimator"), tolerances={"median": 0.4},
    ),
    "need_bank": Part(
        data=("dataset=digits",), measure=bank_part, claims=bank_claims,
        keys=("split", "dataset", "question", "subject", "estimator"), tolerances=dict.fromkeys(("cases", "median_error", "bias"), 0.01),
    ),
    "foundation_subset": Part(
        data=("dataset=wordnet_glosses",), measure=subset_part, claims=subset_claims, keys=("selection", "origin", "metric"),
        tolerances=dict.fromkeys(
            ("value", "minus_full", "minus_random"), lambda row: 0.06 if row["metric"] == "balanced_accuracy" else 0.025
        ),
    ),
    "completion_study": Part(
        data=("dataset=wordnet_glosses",), measure=planners_part("completion_study", "regime=long_tailed_50", *FILLING), claims=completion_claims,
        keys=("regime", "first", "second", "fraction", "metric"), tolerances={"value": lambda row: row["spread"]},
    ),
    "table2": Part(
        data=("dataset=ag_news",), measure=table2_part("dataset=ag_news", "encoder=tfidf"), claims=table2_claims, keys=("dataset", "encoder"),
        tolerances=dict.fromkeys((f"{arm}_mean" for arm in ARMS_OF_TABLE_2), 0.01)
        | {"foundation": lambda row: 0.03 * row["foundation"], "coverage": 0.03},
    ),
    "forecast_study": Part(
        data=("dataset=digits",), measure=forecast_part, claims=forecast_claims, keys=("dataset", "regime", "score"),
        tolerances={"cases": EXACT, "refused": EXACT, "held": 0.1, "bias": 0.3, "rmse": 0.3},
    ),
    "rounds": Part(
        data=("dataset=wordnet_glosses",), measure=rounds_part, claims=rounds_claims,
        keys=("dataset", "regime", "seed", "way", "round"),
        tolerances={"after": 0.03, "bought": lambda row: 0.3 * row["bought"]},
    ),
    "pools": Part(
        data=("dataset=wordnet_glosses",), measure=planners_part("pools", "dataset=wordnet_glosses", "encoder=wordllama", *TWO_POOLS), claims=pools_claims,
        keys=("dataset", "mix", "first", "second", "fraction", "metric"), tolerances={"value": lambda row: row["spread"]},
    ),
    "reduction": Part(
        data=("dataset=captioned_scenes", "modality=image"), measure=reduction_part("reduction"), claims=reduction_claims, keys=("case", "seed", "metric"),
        tolerances={"value": lambda row: REDUCED[row["metric"]]},
    ),
}  # fmt: skip
PARTS |= {
    "quickstart/text": replace(PARTS["quickstart"], data=("dataset=wordnet_glosses", "encoder=minilm"), measure=text_part),
    "table2/lite": replace(PARTS["table2"], data=("dataset=cifar10",), measure=table2_part("dataset=cifar10", "encoder=efficientnet_lite1")),
    "table2/lite2": replace(PARTS["table2"], data=("dataset=cifar10",), measure=table2_part("dataset=cifar10", "encoder=efficientnet_lite2")),
    "table2/native": replace(  # pixels are the cheap one of its encoders
        PARTS["table2"], data=("dataset=cifar10",), measure=table2_part("dataset=cifar10", "encoder=pixels")
    ),
    "pools/own": replace(
        PARTS["pools"], data=("dataset=ag_news",), keys=("dataset", "encoder", "regime", *PARTS["pools"].keys[1:]),
        measure=planners_part("pools", "dataset=ag_news", "encoder=wordllama", "dataset.train_size=null", *TWO_POOLS),
    ),
    "pools/lite": replace(
        PARTS["pools"], data=("dataset=cifar10",), keys=("dataset", "encoder", "regime", *PARTS["pools"].keys[1:]),
        measure=planners_part("pools", "dataset=cifar10", "encoder=efficientnet_lite1", "regime=natural", "pool.mix=natural", "completion=random,class_average,scar"),
    ),
    "pools/fair": replace(
        PARTS["pools"], data=("dataset=ag_news",), keys=("dataset", "encoder", "regime", *PARTS["pools"].keys[1:]),
        measure=planners_part("pools", "dataset=ag_news", "encoder=tfidf", "dataset.train_size=null", "regime=natural", "pool.mix=natural", "completion=random,class_average,scar"),
    ),
    "completion_study/own": replace(
        PARTS["completion_study"], data=("dataset=ag_news",), claims=completion_own_claims,
        measure=planners_part(
            "completion_study", "dataset=ag_news", "encoder=minilm", "dataset.train_size=null", "regime=long_tailed", *FILLING
        ),
        keys=("dataset", "encoder", *PARTS["completion_study"].keys),
    ),
    "completion_study/noise": replace(
        PARTS["completion_study"], data=("dataset=ag_news",), claims=completion_noise_claims,
        measure=planners_part(
            "completion_study", "dataset=ag_news", "encoder=minilm", "dataset.train_size=null", "regime=noisy_20", *FILLING
        ),
        keys=("dataset", "encoder", *PARTS["completion_study"].keys),
    ),
    "scale_invariance/own": replace(PARTS["scale_invariance"], data=("dataset=ag_news",), measure=scale_part(AG_NEWS)),
    "need_study/own": replace(  # all seeds: with 1 600 texts one of them is no measure of the others
        PARTS["need_study"], data=("dataset=ag_news",), measure=need_part(AG_NEWS, 8), claims=need_claims_by_dataset,
        tolerances={"median": 0.2},
    ),
    "reduction/emoji": replace(
        PARTS["reduction"], data=("dataset=emoji_pairs", "dataset.vendor=all", "modality=image"), measure=reduction_part("reduction_emoji")
    ),
    "encoders/own": replace(PARTS["encoders"], data=("dataset=ag_news",), measure=encoders("ag_news")),
}  # fmt: skip
"""Of the paper's data, measured where a copy is."""
