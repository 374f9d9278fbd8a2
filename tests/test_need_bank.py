"""The bank of measured curves: what it holds, what is extrapolated from it, and how that is scored."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from experiments.need_bank.bank import (
    KEYS,
    PATH,
    SOURCES,
    cases,
    measure,
    observations_of,
    read_bank,
    records,
    write_bank,
)
from experiments.need_bank.rivals import m4_error, power_law_error
from experiments.need_bank.score import score_bank, summarize
from scar.store.store import Store


def test_the_bank_is_small_and_every_curve_is_whole():
    assert PATH.stat().st_size < 1_000_000
    bank = read_bank()
    known = {(source.dataset, source.encoder) for source in SOURCES}
    assert set(bank[["dataset", "encoder"]].itertuples(index=False, name=None)) <= known
    assert bank[["dataset", "encoder"]].drop_duplicates().shape[0] >= 8
    for _, rows in bank.groupby(KEYS):
        assert not rows.duplicated(["factors", "parts", "class_id"]).any()
        assert (rows.heldout_misses <= rows.heldout_class_sizes).all()
        assert (rows.train_misses <= rows.class_sizes).all()


def test_what_one_has_is_a_quarter_of_what_is_real():
    for source, have, real in cases(read_bank()):
        assert set(have) == set(real), source
        for seed, seen in have.items():
            assert seen.n_total / real[seed].n_total == pytest.approx(0.25, abs=0.01)
            assert np.array_equal(seen.heldout_class_sizes, real[seed].heldout_class_sizes)


def test_observations_come_back_as_they_were_and_a_bank_depends_on_its_rows_alone(tmp_path):
    bank = read_bank()
    rows = bank[(bank.dataset == "digits") & (bank.seed == 0) & (bank.role == "have")]
    seen = observations_of(rows)
    again = observations_of(records(seen))
    for each in fields(seen):
        np.testing.assert_array_equal(getattr(again, each.name), getattr(seen, each.name))
    for name, frame in (("a", rows), ("b", rows.sample(frac=1.0, random_state=0))):
        write_bank(frame, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_rivals_extrapolate_their_own_curves():
    sizes, at = np.array([500.0, 1000.0, 2000.0, 4000.0]), np.array([6000.0, 8000.0, 16000.0])

    def power(n):
        return 0.1 + 0.2 * (n / 4000) ** -0.6

    def m4(n):  # with α = 1
        odds = 0.3 * (n / 4000) ** -0.6
        return (0.1 + 0.9 * odds) / (1.0 + odds)

    assert power_law_error(sizes, power(sizes), at) == pytest.approx(power(at), abs=2e-3)
    assert m4_error(sizes, m4(sizes), at, chance=0.9) == pytest.approx(m4(at), abs=2e-3)


def test_a_summary_says_how_far_off_and_how_often_inside():
    about = {"dataset": "d", "encoder": "e", "split": "scored", "question": "accuracy", "subject": "set", "width": 2.0}
    rows = [
        about
        | {
            "estimator": "x",
            "seed": seed,
            "error": error,
            "covered": abs(error) < 1,
            "interval_score": 2.0 + abs(error),
            "over_heldout": float(seed),
        }
        for seed, error in enumerate((-0.5, 0.5, 2.0))
    ]
    table = summarize(pd.DataFrame(rows)).set_index("dataset").loc["all"]
    assert table.cases == table.clusters == 3
    assert (table.median_error, table.bias) == (0.5, 0.5)
    assert table.coverage == pytest.approx(2 / 3)
    assert table.coverage_low <= table.coverage <= table.coverage_high
    assert table.over_heldout == 1.0


@pytest.mark.slow
def test_a_source_is_measured_and_scored(tmp_path):
    digits = next(source for source in SOURCES if source.dataset == "digits")
    shared = (f"paths.output_dir={tmp_path}", "trainer.threads=1")
    found = measure(digits, 0, store=Store(tmp_path / "store"), shared=shared)
    bank = read_bank()
    kept = bank[(bank.dataset == "digits") & (bank.seed == 0)]
    both = kept.merge(found, on=[*KEYS, "factors", "parts", "class_id"], suffixes=("", "_again"))
    assert len(both) == len(kept)
    assert (both.heldout_misses - both.heldout_misses_again).abs().mean() < 0.5
    scored = score_bank(bank[bank.dataset == "digits"])
    assert set(scored.estimator) >= {"recommended", "heldout", "twice", "m4"}
    sizes = scored[scored.question == "size"].set_index(["seed", "target", "class_id"])
    ours, rival = (sizes[sizes.estimator == name].interval_score for name in ("recommended", "heldout"))
    over = sizes[sizes.estimator == "recommended"].over_heldout
    np.testing.assert_allclose(over, ours - rival)
    assert sizes[sizes.estimator != "recommended"].over_heldout.isna().all()
