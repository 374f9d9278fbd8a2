"""The rows about the measures, a whole row of Table 2, and a second run."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from experiments.benchmarks import competitors
from experiments.benchmarks.problem import Problem, make_problem
from experiments.benchmarks.timing import RECORD, Row, interleave
from scar.completion.plan import plan_completion
from scar.completion.planners import ScarPlanner
from scar.completion.problem import CompletionProblem
from scar.evaluation.scores import raw_scores
from scar.foundation.estimates import estimate
from scar.foundation.set_level import set_foundation_size
from scar.foundation.settings import FoundationConfig
from scar.measures.from_probes import observe
from scar.measures.steps import scar_measures
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes
from scar.sampling.subsets import Subset, SubsetsConfig, draw_subsets

HEAVY = ("torch", "pytorch_lightning", "timm", "transformers")


def measure_rows(quick: bool, repetitions: int) -> list[Row]:
    """50 000 samples against both loops; the published manner, linear in the samples, on a share; the size of a set."""
    n, share = 50_000, 10
    rng = np.random.default_rng(0)
    rows = []
    for classes, published, numpy_loop in ((10, 80, 2.5), (100, 500, 12)):
        labels = rng.integers(0, classes, n)
        logits = rng.normal(size=(n, classes)).astype(np.float32)
        logits[np.arange(n), labels] += 3
        times = interleave(
            f"measures C={classes}",
            {
                "scar": lambda logits=logits, labels=labels: scar_measures(logits, labels),
                "published": lambda logits=logits, labels=labels: competitors.published_measures(
                    logits[::share], labels[::share]
                ),
                "numpy": lambda logits=logits, labels=labels: competitors.numpy_measures(logits, labels),
            },
            repetitions,
        )
        ours = times["scar"].median
        note = f"{n // 1000}k samples in {ours * 1e3:.1f} ms; the published manner timed on 1/{share} of them"
        value = share * times["published"].median / ours
        rows.append(Row(f"measures, C={classes}, vs the published manner", value, published, note=note))
        value = times["numpy"].median / ours
        rows.append(Row(f"measures, C={classes}, vs a NumPy loop over classes", value, numpy_loop, note=note))
    steps = 10.0 ** rng.uniform(-300, 300, 10_000)
    times = interleave("set size", {"scar": lambda: set_foundation_size(steps)}, repetitions)
    note = "10k step functions, third order"
    return [*rows, Row("foundation size of a set", 1e3 * times["scar"].median, 50, "ms", False, note)]


def table2_rows(quick: bool, repetitions: int) -> list[Row]:
    """A run of a row of Table 2 from cached embeddings against the published manner; then all three runs of it."""
    n, epochs = (4000, 5) if quick else (50_000, 30)
    problem = make_problem(n, 768, 10)
    same = ProbeConfig.linear(max_epochs=epochs, patience=10**6)
    converged = ProbeConfig(name="converged", solver="lbfgs", penalties=(1e-2,), max_epochs=2000)
    seconds: dict[str, float] = {}
    accuracies: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "x.npy", problem.x)
        samples = [{"embedding": x, "label": y} for x, y in zip(problem.x.tolist(), problem.y.tolist(), strict=True)]
        (Path(folder) / "x.json").write_text(json.dumps(samples))
        del samples
        cases = {
            "same": lambda: our_run(problem, Path(folder), same),
            "converged": lambda: our_run(problem, Path(folder), converged),
            "published": lambda: published_run(problem, Path(folder), epochs),
            "linear, three runs": lambda: max(
                our_run(problem, Path(folder), ProbeConfig.linear(), s) for s in range(3)
            ),
        }
        for name, case in cases.items():
            start = time.perf_counter()
            accuracies[name] = case()
            seconds[name] = time.perf_counter() - start
            load = os.getloadavg()[0]
            RECORD.append(
                {"suite": "table 2", "case": name, "repetition": 0, "seconds": seconds[name], "load_average": load}
            )
    note = f"{n}×768, C=10, one run, {epochs} epochs; " + ", ".join(
        f"{name} {seconds[name]:.1f} s (accuracy {accuracies[name]:.3f})" for name in cases
    )
    return [
        Row(
            "a Table 2 row end to end, same optimiser, batch, epochs",
            seconds["published"] / seconds["same"],
            8,
            note=note,
        ),
        Row("a Table 2 row end to end, probe=converged", seconds["published"] / seconds["converged"], 20, note=note),
        Row(
            "a Table 2 row, three runs, the default probe",
            seconds["linear, three runs"],
            180,
            "s",
            False,
            "stopped by its validation loss, as a study runs it",
        ),
    ]


def split_of(problem: Problem) -> tuple[np.ndarray, ...]:
    """Primary, reserve, validation and test; the test part halves the validation part."""
    rows = np.random.default_rng(0).permutation(len(problem.y) * 10 // 11)
    outside = np.arange(len(rows), len(problem.y))
    cut = len(rows) * 6 // 10
    return np.sort(rows[:cut]), np.sort(rows[cut:]), outside[::2], outside[1::2]


def our_run(problem: Problem, folder: Path, config: ProbeConfig, seed: int = 0) -> float:
    """Every probe, measure, estimate, plan and evaluation of one run; returns the accuracy on everything."""
    x, y, classes = np.load(folder / "x.npy", mmap_mode="r"), problem.y, problem.classes
    primary, reserve, validation, test = split_of(problem)
    subjects = (primary, np.sort(np.concatenate([primary, reserve])))
    subsets: list[list[Subset]] = [draw_subsets(rows, y, SubsetsConfig(), seed=seed) for rows in subjects]
    trainer = TrainerConfig(accelerator="cpu")

    def train(rows: list[np.ndarray]):
        tasks = [ProbeTask(part, validation, seed) for part in rows]
        return train_probes(x, y, tasks, num_classes=classes, config=config, trainer=trainer)

    probes = train([subset.rows for plan in subsets for subset in plan])
    for index, plan in enumerate(subsets):
        own = probes.select(range(index * len(plan), (index + 1) * len(plan)))
        seen = observe(own, plan, x, y, num_classes=classes, heldout=validation)
        estimates = estimate(seen, FoundationConfig(estimators=("reference",)))
        if index == 0:
            counts = np.bincount(y[primary], minlength=classes)
            sizes = estimates["reference"].step_sizes
            held = np.bincount(y[reserve], minlength=classes)
    names = tuple(map(str, range(classes)))
    question = CompletionProblem(counts=counts, reserve=held, step_sizes=sizes, class_names=names)
    budgets = {share: int(share * len(reserve)) for share in (0.05, 0.1, 0.25)}
    plans = plan_completion(ScarPlanner(name="scar"), question, budgets, reserve=reserve, labels=y, seed=seed)
    arms = train([np.concatenate([primary, plan.rows]) for plan in plans] + (list(subjects) if config.draws else []))
    scores = [raw_scores(arms.predict(arm, x[test]), y[test]) for arm in range(len(arms))]
    if not config.draws:  # the arms of both training sets are the first probes of their subsets
        scores += [raw_scores(probes.predict(first, x[test]), y[test]) for first in (0, len(subsets[0]))]
    return scores[-1]["accuracy"]


def published_run(problem: Problem, folder: Path, epochs: int) -> float:
    """The same work in the published manner: JSON embeddings, a DataLoader loop per probe, measures by loops."""
    samples = json.loads((folder / "x.json").read_text())
    x = np.array([sample["embedding"] for sample in samples], dtype=np.float32)
    y = np.array([sample["label"] for sample in samples])
    del samples
    primary, reserve, validation, test = split_of(problem)
    rng = np.random.default_rng(0)
    everything = np.concatenate([primary, reserve])
    layer = None
    for rows in (primary, everything):
        for factor in (1, 2, 5, 10, 15, 20, 30):
            for part in np.array_split(rng.permutation(rows), factor):
                layer = one_probe(x, y, part, validation, problem.classes, epochs)
                competitors.published_measures(predict(layer, x, part), y[part])
    arms = [np.concatenate([primary, reserve[: int(share * len(reserve))]]) for share in (0.05, 0.1, 0.25)]
    for rows in [*arms, primary, everything]:
        layer = one_probe(x, y, rows, validation, problem.classes, epochs)
        accuracy = float((predict(layer, x, test).argmax(axis=1) == y[test]).mean())
    return accuracy


def one_probe(x, y, rows, validation, classes, epochs):
    task = ProbeTask(rows, validation, 0)
    return competitors.dataloader_loop(Problem(x, y, [task], classes), epochs=epochs, batch_size=500)


def predict(probe, x, rows):
    layer, mean, std = probe
    with torch.no_grad():
        return layer(torch.from_numpy((x[rows] - mean) / std)).numpy()


def second_run_rows(quick: bool, repetitions: int) -> list[Row]:
    """A finished study once more, the start of the process included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "scar.commands.run", "experiment=smoke"]
        run = {"cwd": folder, "capture_output": True, "text": True, "check": True}
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run(command, env=environment, **run)
        times = interleave("second run", {"scar": lambda: subprocess.run(command, env=environment, **run)}, repetitions)
        traced = subprocess.run(command, env={**environment, "PYTHONPROFILEIMPORTTIME": "1"}, **run)
    imported = {line.split("|")[-1].strip() for line in traced.stderr.splitlines() if "import time:" in line}
    heavy = [name for name in HEAVY if name in imported]
    note = f"imports {', '.join(heavy)}" if heavy else f"imports none of {', '.join(HEAVY)}"
    help_command = [sys.executable, "-m", "scar.commands.run", "--help"]
    helped = interleave(
        "help", {"scar": lambda: subprocess.run(help_command, check=True, capture_output=True)}, repetitions
    )
    return [
        replace(Row("second run of a study", times["scar"].median, 3, "s", False, note), bar=0 if heavy else 3),
        Row("scar --help", helped["scar"].median, 1, "s", False),
    ]
