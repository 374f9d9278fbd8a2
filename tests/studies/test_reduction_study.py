"""The reduction study: what is compared, planted truth, findings in words, and the whole of it at a tiny size."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape

from scar.data.samples import Samples
from scar.pairs.retrieval import Ranks
from scar.reduction.settings import ReductionConfig
from scar.studies.reduction.arm_differences import conclude, differences, verdict
from scar.studies.reduction.arms import ARMS, COMPARED, cases
from scar.studies.reduction.claims import claims
from scar.studies.reduction.judge import PairResult, planted_truth, purity, retrieve_both_ways, scar_of
from scar.studies.reduction.pair_arrays import PairArrays, make_pair_arrays
from scar.studies.reduction.reduction_measures import truth_of

TINY = (
    *("experiment=reduction", "encoder=pixels_pca", "dataset.train_size=480", "dataset.test_size=96"),
    *("dataset.imbalance=2", "reduction.seeds=[0,1]", "reduction.share=0.5", "reduction.clusters=4"),
    *("reduction.captioner.epochs=3", "reduction.captioner.codebook_size=32", "reduction.candidates=2"),
    *("reduction.pair_model.steps=8", "reduction.pair_model.checkpoints=4", "reduction.pair_model.batch_size=64"),
    *("reduction.tables=[2f]", "reduction.rivals.mixtures=8", "reduction.rivals.mixture_steps=2"),
    *("reduction.arms=[full,random,reduced,similarity_dedup,reduced_refined,need,mixing,soft_cap,oracle_25]",),
    *("probe=converged", "probe.max_epochs=20"),
)
"""A size at which the whole study takes seconds; its numbers mean nothing."""


def result(found: float, n: int = 200, seed: int = 0, wall: float = 1.0) -> PairResult:
    """A pair model whose share of partners at rank 1, of right classes and of right probes is about `found`."""
    rng = np.random.default_rng(seed)
    above = np.where(rng.random(n) < found, 0, 50)
    ranks = tuple(Ranks(above=each, ties=np.zeros(n, np.int64)) for each in (above + 20, above, above + 1))
    right = rng.random(n) < found
    return PairResult(
        steps=np.array([25, 50, 100]), validation=np.array([0.1, 0.9, 0.8]), tr=ranks, ir=ranks,
        held=np.eye(n, dtype=bool), units=np.arange(n), zero_shot=np.stack([right] * 3), linear_probe=right, spent={"wall": wall, "cpu": wall}, final_loss=1.0,
    )  # fmt: skip


def planted() -> dict[str, list[PairResult]]:
    """Refined captions help a lot, everything is best, the reduced set is as good as a random one."""
    levels = {arm.name: 0.5 for arm in ARMS} | {"full": 0.9, "reduced_refined": 0.7}
    walls = {"full": 4.0, "reduced_refined": 1.0}
    return {
        name: [result(level, n=2000, seed=seed, wall=walls.get(name, 1.0)) for seed in range(5)]
        for name, level in levels.items()
    }


def rows_of(results: dict[str, list[PairResult]]) -> pd.DataFrame:
    records = []
    for name, each in results.items():
        for seed, one in enumerate(each):
            values = one.values() | {"pairs": 100.0 if name == "full" else 25.0, "mismatches_kept": 0.2}
            about = {"dataset": "d", "base": "b", "kind": "arm", "table": "arms", "case": name, "setting": "b"}
            records += [about | {"override": "", "seed": seed, "metric": m, "value": v} for m, v in values.items()]
    for case, value in (("uniform", 0.6), ("random", 0.5)):
        about = {"dataset": "d", "base": "b", "kind": "case", "table": "2b", "case": case, "setting": case}
        records += [about | {"seed": s, "metric": "probe_image", "value": value + s / 1000} for s in range(5)]
    about = {"dataset": "d", "base": "b", "kind": "case", "table": "2d", "case": "Codebook", "setting": "b"}
    return pd.DataFrame([*records, about | {"seed": 0, "metric": "probe_image", "value": 0.6}])


def test_planted_differences_are_found_and_equal_arms_are_equivalent():
    table = differences(planted())
    last = table[(table.metric == "recall") & (table.budget == 1)]
    said = {(r["first"], r["second"]): verdict(r) for r in last.to_dict("records")}
    assert said["reduced", "full"] == "worse"
    assert said["reduced_refined", "reduced"] == "better"
    assert said["need", "random"] == "equivalent"
    assert set(said) == set(COMPARED)
    assert table[table.metric == "tr_at_1"].p_holm.isna().all()
    assert table[table.budget < 1].p_holm.isna().all()
    assert (last.p_holm >= last.p_value).all()
    some = differences({name: each for name, each in planted().items() if name in ("full", "random", "reduced")})
    assert set(zip(some["first"], some["second"], strict=True)) == {
        ("reduced", "full"), ("random", "full"), ("reduced", "random"),
    }  # fmt: skip


def test_a_budget_takes_the_checkpoint_that_is_best_on_the_validation_part_within_it():
    one = result(0.5)
    assert [one.chosen(budget) for budget in (0.25, 0.5, 1.0)] == [0, 1, 1]
    assert one.values(0.25)["chosen_step"] == 25
    assert one.values(0.25)["tr_at_1"] == 0
    assert one.values()["recall"] == one.values()["tr_at_1"]
    assert replace(one, validation=np.full(3, np.nan)).chosen() == 2
    with pytest.raises(ValueError, match=r"budget=0\.1 of 100 steps ends before the first checkpoint"):
        one.chosen(0.1)


def test_the_findings_say_where_it_helped_where_it_hurt_and_where_nothing_was_shown():
    results = planted()
    said = conclude(differences(results), rows_of(results))
    against = {line.split(":")[0]: line for line in said}
    assert ": worse in mean recall" in against["TL;DR's pairs with refined captions against everything"]
    assert ": better in mean recall" in against["TL;DR's pairs with refined captions against TL;DR's pairs"]
    assert "equivalent (within 2 points)" in against["pairs by need against random pairs"]
    assert any("takes 4 s" in line for line in said)
    assert any("planted mismatches pairs by similarity without near-duplicates keep 20.0%" in line for line in said)
    assert any("uniform draws are better than random draws (+10.00 points" in line for line in said)


def effects(**values: tuple[float, float, float]) -> pd.DataFrame:
    """Differences of cases to the study's own, from value, p and p of equivalence."""
    records = [
        {"table": name[:2], "case": name[3:].replace("_", " "), "value": value, "low": value - 0.01, "high": value + 0.01,
         "p_holm": p, "p_equivalence": same}
        for name, (value, p, same) in values.items()
    ]  # fmt: skip
    return pd.DataFrame(records)


def test_every_claim_of_the_paper_gets_a_verdict_from_the_numbers():
    table = differences(planted())
    scores = pd.DataFrame({"set": ["before", "after"], "score": [0.4, 0.5]})
    cases_ = effects(
        **{"2b hard-sample": (0.05, 0.01, 1.0), "2c xavier": (-0.05, 0.01, 1.0), "2d Image Embedding": (0.0, 1.0, 0.01),
           "2d Text Embedding": (0.001, 1.0, 0.01), "2e 10%": (-0.1, 0.01, 1.0), "2e 50%": (0.1, 0.01, 1.0), "2f 18": (0.03, 0.2, 0.6)}
    )  # fmt: skip
    judged = claims(table, cases_, scores).set_index("claim")
    said = {claim.partition(" (")[0]: row.verdict for claim, row in judged.iterrows()}
    assert said["A quarter by TL;DR trains as well as all pairs"] == "refuted"
    assert said["Clusters of codes beat random pairs"] == "refuted"  # they are equivalent
    assert said["Refined captions help, on the paper's pairs"] == "confirmed"
    assert said["Captions that collapse do harm"] == "refuted"
    assert said["Refined pairs score higher"] == "confirmed"
    assert said["Reducing saves time, at equal steps"] == "confirmed"
    assert said["No rule draws better from a cluster than chance"] == "refuted"
    assert said["Codes that start from key words beat random ones"] == "confirmed"
    assert said["Codes cluster better than embeddings of images or captions"] == "refuted"
    assert said["The more pairs are kept, the better"] == "confirmed"
    assert said["The number of clusters hardly matters: within 2 points"] == "not shown"
    assert said["Video, VQA, captioning, ImageNet"] == "not testable here"
    assert (
        "hard-sample +5.0 [+4.0, +6.0], p = 0.01"
        in judged.loc["No rule draws better from a cluster than chance (Table 2b)"].why
    )
    none = claims(table, cases_.iloc[:0], scores)
    assert not none.claim.str.contains(r"Table 2[b-f]\)").any()


def test_a_result_reads_back_as_it_was_written(tmp_path):
    one = result(0.4)
    one.save(tmp_path / "result.npz")
    again = PairResult.load(tmp_path / "result.npz")
    assert again.values() == one.values()
    np.testing.assert_array_equal(again.items("ir_at_10"), one.items("ir_at_10"))
    assert one.values(0.25) == again.values(0.25)
    unlabelled = replace(one, zero_shot=None, linear_probe=None)
    unlabelled.save(tmp_path / "none.npz")
    assert PairResult.load(tmp_path / "none.npz").zero_shot is None
    assert "zero_shot" not in unlabelled.values()


def test_captions_and_images_find_each_other_with_several_captions_per_image():
    images = np.eye(3, dtype=np.float32)
    held = np.zeros((3, 5), bool)
    held[[0, 0, 1, 2, 2], np.arange(5)] = True
    found = retrieve_both_ways(images, images[[0, 0, 1, 2, 1]], held)
    assert found["tr"].found(1).tolist() == [1.0, 0.5, 1.0]
    assert found["ir"].found(1).tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]
    held[1, 4] = True  # the image that the last caption is nearest to has it as well
    found = retrieve_both_ways(images, images[[0, 0, 1, 2, 1]], held)
    assert found["ir"].found(1).tolist() == [1.0, 1.0, 1.0, 1.0, 1.0]
    assert found["tr"].found(1).tolist() == [1.0, 1.0, 1.0]


def test_recall_counts_the_captions_of_an_image_and_the_images_of_a_unit_together():
    placed = Ranks(above=np.array([0, 50, 0]), ties=np.zeros(3, np.int64))
    texts = Ranks(above=np.array([0, 50]), ties=np.zeros(2, np.int64))
    held = np.array([[True, True], [True, False], [False, True]])
    one = PairResult(
        steps=np.array([1]), validation=np.array([0.5]), tr=(placed,), ir=(texts,), held=held, units=np.array([7, 7, 9]),
        zero_shot=None, linear_probe=None, spent={"wall": 1.0, "cpu": 1.0}, final_loss=1.0,
    )  # fmt: skip
    each = [(1 + 1 + 0.5 + 0.5) / 4, (0 + 0 + 1 + 1) / 4, (1 + 1 + 0 + 0) / 4]
    found = one.items("recall")
    assert found is not None
    assert found.tolist() == [(each[0] + each[1]) / 2, each[2]]


def test_the_truth_is_counted_among_what_is_kept():
    ids = np.array(["a", "b", "c", "d", "e", "f"])
    wrong = np.array([True, True, False, False, False, False])
    again = np.array(["", "", "", "c", "c", ""])
    kept = np.array([0, 2, 3, 4])
    found = planted_truth(kept, wrong, again, ids)
    assert found == {"mismatches_kept": 0.5, "mismatched": 0.25, "duplicates_kept": 1.0, "redundant": 0.5}
    assert planted_truth(np.array([3, 4]), wrong, again, ids)["redundant"] == 0.5
    assert planted_truth(np.array([3, 5]), wrong, again, ids)["redundant"] == 0.0
    assert planted_truth(kept, None, None, ids) == {}
    made = make_pair_arrays(samples(mismatched=np.array(["yes", "no", "yes", "no"])), 8)
    assert truth_of(made, np.array([1, 1])) == {"mismatches_kept": 0.5, "mismatched": 1.0}
    held = make_pair_arrays(samples(mismatched=np.array(["yes", "no", "yes", "no"])), 8, validation_share=0.5)
    assert truth_of(held, np.array([0]))["mismatches_kept"] == 1


def test_purity_is_the_share_of_the_most_common_label():
    assert purity(np.array([0, 0, 0, 1, 1, 1]), np.array([2, 2, 0, 1, 1, 1])) == pytest.approx(5 / 6)
    assert purity(np.zeros(4, np.int64), np.array([0, 1, 2, 3])) == 0.25


def test_wrong_labels_cost_authenticity():
    from scar.foundation.settings import FoundationConfig
    from scar.probes.settings import ProbeConfig

    rng = np.random.default_rng(0)
    centres = rng.normal(scale=3, size=(4, 8))
    labels, shown = rng.integers(4, size=600), rng.integers(4, size=200)
    rows = {
        name: (centres[y] + rng.normal(size=(len(y), 8))).astype(np.float32)
        for name, y in (("a", labels), ("b", shown))
    }
    wrong = np.where(rng.random(600) < 0.3, rng.integers(4, size=600), labels)
    common = {"seed": 0, "probe": ProbeConfig(solver="lbfgs", penalties=(1e-3,)), "foundation": FoundationConfig()}
    clean, noisy = (scar_of(rows["a"], y, rows["b"], shown, **common) for y in (labels, wrong))
    assert clean["classes"] == 4
    assert clean["authenticity"] > noisy["authenticity"] + 0.05
    assert 0 <= clean["scale"] <= 1
    assert max(clean["scale"], clean["richness"]) == 1


def test_every_case_differs_from_the_study_in_what_its_command_says():
    base = ReductionConfig(share=0.25)
    listed = cases(base, 6000)
    assert {case.table for case in listed} == {"2b", "2c", "2d", "2e", "2f"}
    for case in listed:
        name, _, value = case.override.removeprefix("reduction.").partition("=")
        differing = {k for k, v in vars(case.reduction).items() if v != getattr(base, k)}
        if case.encoder_images:
            assert not case.override
            continue
        assert differing <= {name.partition(".")[0]}, case.name
        assert str(getattr(case.reduction, name, value)).rstrip("0").rstrip(".") == value.rstrip("0").rstrip(".")
    assert sum(case.reduction.clusters == 77 for case in listed) == 1
    assert len({arm.name for arm in ARMS}) == len(ARMS)


def samples(**groups: np.ndarray) -> Samples:
    images = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3)).astype(np.uint8)
    return Samples(
        ids=np.array(["a", "b", "c", "d"]),
        payloads={"image": images, "text": [("one", "uno"), "two", ("three",), ("four", "vier")]},
        labels=None,
        class_names=(),
        splits=np.array(["train", "test", "train", "test"]),
        groups=groups,
    )


def test_material_keeps_every_caption_and_reads_back(tmp_path):
    made = make_pair_arrays(samples(mismatched=np.array(["no", "no", "yes", "no"])), 8)
    made.save(tmp_path)
    again = PairArrays.load(tmp_path)
    assert again.texts == ["one", "two", "three", "four"]
    texts, held = again.captions_of(again.test)
    assert texts == ["two", "four", "vier"]
    assert held.tolist() == [[True, False, False], [False, True, True]]
    assert again.units.tolist() == [0, 1, 2, 3]
    assert again.mismatched is not None
    assert again.mismatched.tolist() == [False, False, True, False]
    assert again.labels is None
    assert again.scene is None
    np.testing.assert_array_equal(again.images, made.images)
    assert make_pair_arrays(samples(), 16).images.shape == (4, 16, 16, 3)


def test_a_validation_part_is_taken_out_of_the_training_part_alone():
    made = make_pair_arrays(samples(), 8, validation_share=0.5, seed=3)
    assert sorted([*made.train, *made.validation]) == [0, 2]
    assert made.test.tolist() == [1, 3]
    assert len(make_pair_arrays(samples(), 8).validation) == 0


def test_pairs_of_a_group_stay_on_one_part():
    one = samples(emoji=np.array(["a", "b", "a", "c"]))
    with pytest.raises(ValueError, match=r"split\.group=vendor is no column of the dataset; it has emoji"):
        make_pair_arrays(one, 8, group="vendor")
    many = replace(
        one, ids=np.array(list("abcdefgh")), splits=np.array(["train"] * 6 + ["test"] * 2),
        payloads={"image": np.zeros((8, 8, 8, 3), np.uint8), "text": ["x"] * 8},
        groups={"emoji": np.array(["a", "a", "b", "b", "c", "c", "d", "d"])},
    )  # fmt: skip
    made = make_pair_arrays(many, 8, validation_share=0.4, group="emoji")
    assert len(made.validation) == 2
    assert len(set(made.units[made.validation])) == 1
    assert not set(made.units[made.validation]) & set(made.units[made.train])
    crossed = replace(many, groups={"emoji": np.array(["a", "a", "b", "b", "c", "d", "d", "d"])})
    with pytest.raises(ValueError, match=r"split\.group=emoji: d is among the training and among the test pairs"):
        make_pair_arrays(crossed, 8, group="emoji")


def test_the_texts_of_a_material_are_made_once_and_are_no_part_of_what_is_written(tmp_path):
    made = make_pair_arrays(samples(), 8)
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
        made.save(folder)
        assert made.texts is made.texts
    for name in ("captions.json", "images.npy", "arrays.npz"):
        assert (before / name).read_bytes() == (after / name).read_bytes()
    copied = pickle.loads(pickle.dumps(made))
    assert copied.texts == made.texts
    turned = replace(made, captions=made.captions[::-1])
    assert turned.texts == made.texts[::-1]


def test_material_without_captions_is_refused():
    only = samples()
    with pytest.raises(ValueError, match="dataset holds no text; a reduction needs pairs"):
        make_pair_arrays(Samples(**vars(only) | {"payloads": {"image": only.payloads["image"]}}), 8)


def command(folder: Path, *overrides: str, spy: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"} | ({"PYTHONPATH": str(spy)} if spy else {})
    return subprocess.run(
        [sys.executable, "-m", "scar.commands.run", *TINY, *overrides],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_whole_study_runs_and_a_second_time_imports_nothing_heavy(tmp_path):
    first = command(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    (folder,) = (tmp_path / "outputs" / "reduction" / "jobs").iterdir()
    rows = pd.read_parquet(folder / "reduction.parquet")
    arms = rows[rows.kind == "arm"].pivot_table(index="case", columns="metric", values="value")
    assert {
        "full",
        "random",
        "reduced",
        "similarity_dedup",
        "reduced_refined",
        "need",
        "mixing",
        "soft_cap",
        "oracle_25",
    } == set(arms.index)
    assert arms.pairs.drop("full").eq(216).all()
    assert arms.distinct_pairs["soft_cap"] < 216
    assert arms.compression["reduced"] == 2.0
    assert set(rows[rows.kind == "budget"].table) == {"2 steps", "4 steps", "8 steps"}
    assert set(rows[rows.kind == "curve"].table) == {"2", "4", "6", "8"}
    assert rows[(rows.case == "best candidate") & (rows.metric == "right")].value.between(0, 1).all()
    assert (folder / "reduction_curves.png").stat().st_size
    assert arms.filter(regex="_at_").stack().between(0, 1).all()
    assert {"image_authenticity", "text_scale", "mismatches_kept", "wall_seconds", "tr_median_rank", "recall"} <= set(
        arms.columns
    )
    assert set(rows[rows.kind == "case"].table) == {"2f"}
    tables = rows[rows.kind == "ablation"]
    assert set(tables.table) == {"2f"}
    assert set(tables["case"]) == set(rows[(rows.kind == "case") & (rows.table == "2f")]["case"])
    base = tables[(tables["case"] == "4") & (tables.metric == "recall")].set_index("seed").value
    arm = rows[(rows.kind == "arm") & (rows["case"] == "reduced_refined") & (rows.metric == "recall")].set_index("seed")
    assert base.to_dict() == arm.value.to_dict()
    effects = pd.read_csv(folder / "ablations.csv")
    assert set(effects["case"].astype(str)) == set(tables["case"]) - {"4"}
    assert "weights: mixing" in set(rows[rows.kind == "study"]["case"])
    page = (folder / "reduction.html").read_text()
    assert all(escape(claim) in page for claim in pd.read_csv(folder / "claims.csv").claim)
    text = (folder / "reduction.md").read_text()
    assert all(f"Table {number} of the TL;DR paper" in text for number in ("2a", "2f", "3", "5", "6", "8"))
    manifest = pd.read_parquet(folder / "manifest.parquet")
    assert (manifest.kept == "yes").sum() == 216
    assert (manifest.refined != "").sum() == 216
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\nheavy = ('torch', 'pytorch_lightning', 'timm', 'transformers')\n"
        "atexit.register(lambda: print('HEAVY', [name for name in heavy if name in sys.modules]))\n"
    )
    again = command(tmp_path, "store.policy=only-cache", spy=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "HEAVY []" in again.stdout
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "reduction.parquet"), rows)
