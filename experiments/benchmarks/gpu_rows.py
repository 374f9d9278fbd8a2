"""The rows about a GPU: a training far larger than a row of the paper, against the memory and the matrix units."""

import torch

from experiments.benchmarks.floors import measure_device
from experiments.benchmarks.probe_rows import bank
from experiments.benchmarks.problem import Problem, make_problem
from experiments.benchmarks.timing import Row, interleave
from scar.probes.settings import PRECISIONS

EPOCHS = 100


def gpu_rows(quick: bool, repetitions: int) -> list[Row]:
    """ImageNet's size, with every precision."""
    if not torch.cuda.is_available():
        return [Row("1280k×768, C=1000, 83 probes on a GPU", float("nan"), None, note="not run: no GPU here")]
    n, classes = (50_000, 100) if quick else (1_280_000, 1000)
    problem = make_problem(n, 768, classes)
    return [large_row(problem, precision, "gpu", repetitions) for precision in PRECISIONS]


def large_row(problem: Problem, precision: str, accelerator: str, repetitions: int) -> Row:
    """Time of an epoch against the longer of reading its rows once and computing its products."""
    cases = {
        f"epochs: {epochs}": bank(problem, accelerator=accelerator, epochs=epochs, precision=precision)
        for epochs in (1, 4)
    }
    shape = f"{len(problem.y) // 1100}k×{problem.x.shape[1]}, C={problem.classes}, {len(problem.tasks)} probes"
    times = interleave(f"{accelerator} {shape} {precision}", cases, repetitions)
    epoch = (times["epochs: 4"].median - times["epochs: 1"].median) / 3
    whole = times["epochs: 1"].median + (EPOCHS - 1) * epoch
    device = measure_device("cuda" if accelerator == "gpu" else "cpu", precision)
    memory = problem.trained * problem.x.shape[1] * problem.x.itemsize / device.bandwidth
    products = (4 * problem.trained + 2 * problem.checked) * problem.x.shape[1] * problem.classes / device.peak
    note = (
        f"epoch {epoch:.3g} s, {EPOCHS} epochs {whole:.3g} s; floors: memory {memory:.3g} s at "
        f"{device.bandwidth / 1e9:.0f} GB/s, products {products:.3g} s at {device.peak / 1e12:.3g} TFLOP/s"
    )
    return Row(
        f"fraction of the floor, {shape}, {precision}", 100 * max(memory, products) / epoch, None, "%", note=note
    )
