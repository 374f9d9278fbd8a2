"""The rows about training the probes."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from experiments.benchmarks import competitors
from experiments.benchmarks.floors import BATCHES, floor_cases
from experiments.benchmarks.problem import Problem, make_problem
from experiments.benchmarks.timing import Row, interleave
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes

PENALTY = 1e-3
GLOSSES = (8000, 256, 24, 100)
# Samples, width, classes and epochs of the arms of experiment=completion_study.


def bank(problem: Problem, *, epochs: int, accelerator: str = "cpu", **settings: object) -> Callable[[], object]:
    """Our side: the default probe, or one with other settings, with early stopping out of reach."""
    config = ProbeConfig.linear(max_epochs=epochs, patience=10**6, **settings)  # type: ignore[arg-type]
    trainer = TrainerConfig(accelerator=accelerator)
    return lambda: train_probes(
        problem.x, problem.y, problem.tasks, num_classes=problem.classes, config=config, trainer=trainer
    )


def fairly(case: Callable[[], object]) -> Callable[[], object]:
    """Run a competitor with one thread or all, whichever was faster in a trial."""
    everything, seconds = torch.get_num_threads(), {}
    for threads in {1, everything}:
        torch.set_num_threads(threads)
        start = time.perf_counter()
        case()
        seconds[threads] = time.perf_counter() - start
    torch.set_num_threads(everything)

    def run() -> None:
        torch.set_num_threads(min(seconds, key=lambda threads: seconds[threads]))
        case()
        torch.set_num_threads(everything)

    return run


def minibatch_rows(quick: bool, repetitions: int) -> list[Row]:
    """Batches of 500 at C = 10, 5k × 384, and C = 100, each against the loops of a user."""
    n, epochs = (6000, 2) if quick else (50_000, 10)
    shape = f"{n // 1000}k×768, 83 probes, {epochs} epochs"
    problem = make_problem(n, 768, 10)
    times = interleave(
        f"mini-batch {shape} C=10",
        {
            "scar": bank(problem, epochs=epochs),
            "a": fairly(lambda: competitors.dataloader_loop(problem, epochs=epochs, batch_size=500)),
            "b": fairly(lambda: competitors.lightning_trainers(problem, epochs=epochs)),
            "d": fairly(lambda: competitors.in_memory_loop(problem, epochs=epochs)),
        },
        repetitions,
    )
    ours = times["scar"].median
    rows = [
        Row("mini-batch 500, C=10, 83 probes, vs (a) DataLoader loop", times["a"].median / ours, 4, note=shape),
        Row("the same, vs (b) a Lightning Trainer each", times["b"].median / ours, 10, note=shape),
        Row("the same, vs (d) a loop over tensors in memory", times["d"].median / ours, None, note=shape),
    ]
    for count, dimension, classes, bar in ((n // 10, 384, 10, None), (n, 768, 100, 2.5)):
        factors = (1, 2, 5) if classes == 100 else (1, 2, 5, 10, 15, 20, 30)
        problem = make_problem(count, dimension, classes, factors)
        note = f"{count}×{dimension}, {len(problem.tasks)} probes"
        loop = fairly(lambda problem=problem: competitors.dataloader_loop(problem, epochs=1, batch_size=500))
        times = interleave(f"C={classes} {note}", {"scar": bank(problem, epochs=1), "a": loop}, repetitions)
        value = times["a"].median / times["scar"].median
        rows.append(Row(f"mini-batch 500, {dimension} wide, C={classes}, vs (a)", value, bar, note=note))
    return rows


def full_batch_rows(quick: bool, repetitions: int) -> list[Row]:
    """The published full-batch manner, and the optimum against scikit-learn."""
    n, epochs = (6000, 2) if quick else (50_000, 10)
    problem = make_problem(n, 768, 10)
    full = {"batch_size": None, "scaling": "unit_norm", "monitor": "train_accuracy", "restore_best": False}
    times = interleave(
        f"full batch {n}×768",
        {
            "scar": bank(problem, epochs=epochs, **full),
            "a": fairly(lambda: competitors.dataloader_loop(problem, epochs=epochs, batch_size=None)),
        },
        repetitions,
    )
    value = times["a"].median / times["scar"].median
    note = f"{n // 1000}k×768, 83 probes, {epochs} epochs"
    rows = [Row("full batch, one pass over the parts, vs (a) full batch", value, 20, note=note)]
    small = make_problem(n // 10, 384, 10)
    config = ProbeConfig(solver="lbfgs", penalties=(PENALTY,), max_epochs=2000)
    times = interleave(
        f"converged {n // 10}×384",
        {
            "scar": lambda: train_probes(small.x, small.y, small.tasks, num_classes=10, config=config),
            "c": fairly(lambda: competitors.scikit_learn(small, penalty=PENALTY)),
        },
        repetitions,
    )
    value = times["c"].median / times["scar"].median
    note = f"{n // 10}×384, 83 probes, λ = {PENALTY:g}"
    return [*rows, Row("converged, vs (c) scikit-learn to the same optimum", value, None, note=note)]


def floor_rows(quick: bool, repetitions: int) -> list[Row]:
    """Time of an epoch, the set-up excluded, against its products alone, or the gather of its rows if that is longer."""
    rows = []
    threads = torch.get_num_threads()
    large = 10_000 if quick else 50_000
    for n, width, classes, epochs in ((large, 768, 10, 11), (large, 768, 100, 5), GLOSSES):
        problem = make_problem(n, width, classes, (1, 2, 5))
        cases = {"1 epoch": bank(problem, epochs=1), f"{epochs} epochs": bank(problem, epochs=epochs)}
        cases |= floor_cases(torch.from_numpy(problem.x), classes, threads)
        times = interleave(f"floor {width} wide, C={classes}", cases, repetitions)
        epoch = (times[f"{epochs} epochs"].median - times["1 epoch"].median) / (epochs - 1)
        forward, backward, gather = (
            times[name].median / (BATCHES * threads) for name in ("forward", "backward", "gather")
        )
        steps, checks = problem.trained / 500, problem.checked / 500
        least = steps * max(forward + backward, gather) + checks * forward
        note = (
            f"per 500 rows on {threads} cores: products {(forward + backward) * 1e6:.0f} µs, gather {gather * 1e6:.0f} "
            f"µs, a step {epoch / steps * 1e6:.0f} µs with its share of the validation; epoch {epoch * 1e3:.0f} ms"
        )
        what = f"fraction of the measured floor, {n // 1000}k×{width}, C={classes}"
        rows.append(Row(what, 100 * least / epoch, 40, "%", note=note))
    return rows


def growth_rows(quick: bool, repetitions: int) -> list[Row]:
    """Time of an epoch over N, the number of probes and C, one axis at a time, against the straight line that fits best.

    The set-up is excluded. Small points are given more epochs, so that each is timed over as many rows as the largest.
    """
    sizes = (20_000, 40_000, 80_000) if quick else (10_000, 30_000, 100_000, 300_000, 1_000_000)
    base, copies, classes = sizes[0], (1, 2, 4, 8), (10, 30, 100, 300, 1000)
    rows = []
    for name, problems, least_epochs, bar in (
        ("N", {n: make_problem(n, 128, 10, (1, 2)) for n in sizes}, 10, 15),
        ("the number of probes", {k: repeat(make_problem(base, 128, 10, (1, 2, 5)), k) for k in copies}, 50, 15),
        ("C", {c: make_problem(base, 128, c, (1, 2)) for c in classes}, 20, None),
    ):
        more = {key: least_epochs * max(problems) // key for key in problems}
        cases = {}
        for key, problem in problems.items():
            cases[f"{key}, 1 epoch"] = bank(problem, epochs=1)
            cases[f"{key}, {1 + more[key]} epochs"] = bank(problem, epochs=1 + more[key])
        times = interleave(f"growth in {name}", cases, repetitions)
        epochs = {
            key: (times[f"{key}, {1 + more[key]} epochs"].median - times[f"{key}, 1 epoch"].median) / more[key]
            for key in problems
        }
        fixed, slope, off = straight_line(epochs)
        note = ", ".join(f"{key}: {1e3 * seconds:.3g}" for key, seconds in epochs.items())
        note += f" ms per epoch; the line: {1e3 * fixed:.2g} ms + {1e6 * slope:.3g} µs each"
        rows.append(Row(f"cost in {name}: off a straight line by", 100 * off, bar, "%", False, note))
    return rows


def straight_line(seconds: dict[int, float]) -> tuple[float, float, float]:
    """Return a and b of the line ``a + b · key`` with the least relative squares, and how far off the worst point is."""
    keys, values = np.array(list(seconds), float), np.array(list(seconds.values()))
    line, *_ = np.linalg.lstsq(np.stack([1 / values, keys / values], axis=1), np.ones(len(keys)), rcond=None)
    return line[0], line[1], float(np.abs((line[0] + line[1] * keys) / values - 1).max())


def repeat(problem: Problem, times: int) -> Problem:
    return Problem(problem.x, problem.y, problem.tasks * times, problem.classes)


MEMORY = """
import logging, sys
from pathlib import Path
import numpy as np
import scar, torch
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes
plan = []
def peak_kib():
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
class Keep(logging.Handler):
    def emit(self, record): plan.append(record.args[2])
logging.getLogger("scar.probes.module").addHandler(Keep())
logging.getLogger("scar.probes.module").setLevel(logging.INFO)
rng = np.random.default_rng(0)
tiny = np.ones((600, 4), np.float32)
trainer = TrainerConfig(accelerator="cpu", memory_gib=float(sys.argv[2]) or None)
train = lambda x, y, tasks: train_probes(
    x, y, tasks, num_classes=10, config=ProbeConfig.linear(max_epochs=2), trainer=trainer
)
train(tiny, np.arange(600) % 10, [ProbeTask(np.arange(500), np.arange(500, 600), 0)])
x = np.load(sys.argv[1], mmap_mode="r")
n = len(x) * 10 // 11
parts = [p for r in (1, 2, 5, 10, 15, 20, 30) for p in np.array_split(rng.permutation(n), r)]
y = rng.integers(0, 10, len(x))
Path("/proc/self/clear_refs").write_text("5")
before = peak_kib()
train(x, y, [ProbeTask(part, np.arange(n, len(x)), 0) for part in parts])
peak = peak_kib()
planned = sum(int(part.split()[-2]) for part in plan[-1].split(","))
print((peak - before) / 2**20, planned / 2**10)
"""


def memory_rows(quick: bool, repetitions: int) -> list[Row]:
    """Peak of the resident memory over what the plan announced, in a process of its own; held, then streamed."""
    n = 20_000 if quick else 55_000
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, np.random.default_rng(0).standard_normal((n, 768), dtype=np.float32))
        for what, limit in (("", 0), (", probes above 16 MiB streamed", 1 / 64)):
            command = [sys.executable, "-c", MEMORY, str(path), str(limit)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            peak, planned = map(float, printed.split())
            note = (
                f"{n}×768, 83 probes: peak {peak:.2f} GiB, plan {planned:.2f} GiB (embeddings, rows in work, results)"
            )
            rows.append(Row(f"peak memory over the printed plan{what}", peak / planned, 1.3, "×", False, note))
    return rows
