"""The rows about what people would use instead, in one interleaved run and at equal results where the task is the same.

mteb is not installed: its loop is written from descriptions of it. In place of that of torchgeo-bench, which was not found,
stands a sweep over penalties as such benchmarks have it.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from experiments.benchmarks.problem import Problem, make_problem
from experiments.benchmarks.timing import Row, interleave
from scar.common.machine import usable_cores
from scar.inspection.crossfit import cross_fit
from scar.inspection.label_errors import check_labels
from scar.inspection.near_duplicates import find_pairs
from scar.inspection.neighbours import find_neighbours
from scar.probes.probe_set import ProbeSet
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes

PENALTY = 1e-2
CHOICES = tuple(10.0**power for power in range(-4, 6))
"""Inverse penalties that a sweep tries."""


def against_rows(quick: bool, repetitions: int) -> list[Row]:
    """83 probes at one optimum; one evaluation of an encoder; the samples to look at."""
    return [*probe_rows(quick, repetitions), *encoder_rows(quick, repetitions), *look_rows(quick, repetitions)]


def probe_rows(quick: bool, repetitions: int) -> list[Row]:
    """Every subset of a characterization to the same optimum: the bank, scikit-learn in processes, one L-BFGS over all."""
    n, factors = (1_000, (1, 2, 5)) if quick else (5_000, (1, 2, 5, 10, 15, 20, 30))
    problem = make_problem(n, 384, 10, factors)
    found: dict[str, NDArray[np.floating]] = {}

    def ours() -> None:
        config = ProbeConfig(penalties=(PENALTY,))
        probes = train_probes(problem.x, problem.y, problem.tasks, num_classes=10, config=config)
        found["scar"] = objectives(problem, probes)

    def theirs() -> None:
        found["scikit-learn"] = scikit_learn(problem)

    def stacked() -> None:
        found["stacked"] = stacked_lbfgs(problem)

    times = interleave("against", {"scar": ours, "scikit-learn": theirs, "stacked": stacked}, repetitions)
    rows = []
    least = np.min(list(found.values()), axis=0)
    said = ", ".join(f"{name} {(each - least).max():.0e}" for name, each in found.items())
    note = f"{n}×384, {len(problem.tasks)} probes, λ = {PENALTY:g}; objective above the least, at most: {said}"
    for name, what in (
        ("scikit-learn", "LogisticRegression of scikit-learn per subset, in as many processes as cores"),
        ("stacked", "one L-BFGS of torch over all subsets stacked, as on a GPU"),
    ):
        rows.append(Row(f"probes, vs {what}", times[name].median / times["scar"].median, 1, note=note))
    return rows


def objectives(problem: Problem, probes: ProbeSet) -> NDArray[np.floating]:
    """Return the penalised objective [P] of probes on their training rows."""
    values = []
    for p, task in enumerate(problem.tasks):
        x, y = problem.x[task.train], problem.y[task.train]
        weights = probes.weights[p].astype(np.float64) * x.std(axis=0)[:, None]
        values.append(cross_entropy(probes.logits(p, x).astype(np.float64), y) + PENALTY / 2 * (weights**2).sum())
    return np.array(values)


def cross_entropy(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    logs = logits - logits.max(axis=1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(labels)), labels].mean())


def scikit_learn(problem: Problem) -> NDArray[np.floating]:
    """A LogisticRegression per subset, shared out between processes by joblib."""
    from joblib import Parallel, delayed

    jobs = (delayed(one_regression)(problem.x[task.train], problem.y[task.train]) for task in problem.tasks)
    return np.array(Parallel(n_jobs=usable_cores())(jobs))


def one_regression(x: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    with threadpool_limits(1):
        scaled = StandardScaler().fit_transform(x)
        model = LogisticRegression(C=1 / (PENALTY * len(x)), max_iter=1000, tol=1e-4).fit(scaled, y)
        penalty = PENALTY / 2 * float((model.coef_.astype(np.float64) ** 2).sum())
        return cross_entropy(model.decision_function(scaled).astype(np.float64), y) + penalty


def stacked_lbfgs(problem: Problem) -> NDArray[np.floating]:
    """All subsets in one tensor program: a product of all rows with all weights, masks say which rows count for which probe."""
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    tasks, classes = problem.tasks, problem.classes
    share = torch.zeros(len(tasks), len(x))
    for index, task in enumerate(tasks):
        share[index, task.train] = 1 / len(task.train)
    mean = share @ x
    std = (share @ x**2 - mean**2).clamp(min=1e-12).sqrt()
    weights = torch.zeros(len(tasks), classes, x.shape[1], requires_grad=True)
    bias = torch.zeros(len(tasks), classes, requires_grad=True)
    used = torch.unique(torch.from_numpy(np.concatenate([task.train for task in tasks])))
    x_used, y_used, share = x[used], y[used], share[:, used]

    def logits(rows: torch.Tensor) -> torch.Tensor:
        scaled = weights / std[:, None]
        offset = bias - (scaled * mean[:, None]).sum(dim=2)
        product = rows @ scaled.flatten(0, 1).T
        return product.view(len(rows), len(tasks), classes).transpose(0, 1) + offset[:, None]

    optimizer = torch.optim.LBFGS([weights, bias], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-4)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        each = torch.nn.functional.cross_entropy(
            logits(x_used).flatten(0, 1), y_used.repeat(len(tasks)), reduction="none"
        )
        loss = (each.view(len(tasks), -1) * share).sum() + PENALTY / 2 * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    values = []
    with torch.no_grad():
        for index, each in enumerate(logits(x)):
            train = tasks[index].train
            penalty = PENALTY / 2 * float(weights[index].double().square().sum())
            values.append(cross_entropy(each[train].double().numpy(), problem.y[train]) + penalty)
    return np.array(values)


def encoder_rows(quick: bool, repetitions: int) -> list[Row]:
    """What an evaluation of an encoder takes: our characterization against one score by the loops of two benchmarks."""
    n = 1_000 if quick else 5_000
    problem = make_problem(n, 384, 10)
    task = problem.tasks[0]
    held = (problem.x[task.validation], problem.y[task.validation])
    train = (problem.x[task.train], problem.y[task.train])
    accuracy: dict[str, float] = {}

    def one() -> None:
        config = ProbeConfig()
        probes = train_probes(problem.x, problem.y, problem.tasks[:1], num_classes=10, config=config)
        accuracy["scar"] = float((probes.predict(0, held[0]) == held[1]).mean())

    def whole() -> None:
        train_probes(problem.x, problem.y, problem.tasks, num_classes=10, config=ProbeConfig(penalties=(PENALTY,)))

    def mteb() -> None:
        with threadpool_limits(1):  # faster than several threads at this size
            accuracy["mteb"] = mteb_loop(*train, *held)

    def sweep() -> None:
        with threadpool_limits(1):
            accuracy["sweep"] = sweep_loop(*train, *held)

    cases: dict[str, Callable[[], None]] = {"scar": one, "scar, 83 probes": whole, "mteb": mteb, "sweep": sweep}
    times = interleave("encoder", cases, repetitions)
    said = ", ".join(f"{name} {100 * value:.1f} %" for name, value in accuracy.items())
    ours = times["scar"].median
    other = times["scar, 83 probes"].median
    note = f"{n}×384; accuracy {said}"
    return [
        Row(
            "a probe and its penalty, vs mteb's loop (ten times 8 samples a class)",
            times["mteb"].median / ours,
            None,
            note=note,
        ),
        Row("the same, vs a sweep over ten penalties", times["sweep"].median / ours, 1, note=note),
        Row("all 83 probes, vs that sweep for one", times["sweep"].median / other, None, note="not equal work"),
    ]


def mteb_loop(
    x: NDArray[np.float32], y: NDArray[np.int64], test: NDArray[np.float32], truth: NDArray[np.int64]
) -> float:
    """Ten regressions, each on eight samples of every class; the mean accuracy."""
    from sklearn.linear_model import LogisticRegression

    found, rng = [], np.random.default_rng(42)
    for _ in range(10):
        order = rng.permutation(len(y))
        chosen = np.concatenate([order[y[order] == label][:8] for label in np.unique(y)])
        model = LogisticRegression(max_iter=100, random_state=42).fit(x[chosen], y[chosen])
        found.append(model.score(test, truth))
    return float(np.mean(found))


def sweep_loop(
    x: NDArray[np.float32], y: NDArray[np.int64], test: NDArray[np.float32], truth: NDArray[np.int64]
) -> float:
    """A regression on standardised features for each of ten penalties; the best by a fifth of the training part, fitted again."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def model(choice: float):
        return make_pipeline(StandardScaler(), LogisticRegression(C=choice, max_iter=1000))

    cut = len(y) * 4 // 5
    scores = [model(choice).fit(x[:cut], y[:cut]).score(x[cut:], y[cut:]) for choice in CHOICES]
    return float(model(CHOICES[int(np.argmax(scores))]).fit(x, y).score(test, truth))


def look_rows(quick: bool, repetitions: int) -> list[Row]:
    """Samples to look at, from the same cross-fitted probabilities: labels, neighbours, duplicates, against Datalab."""
    try:
        import datasets  # noqa: F401
        from cleanlab import Datalab
    except ImportError:
        note = "not run: cleanlab's Datalab needs cleanlab and datasets, extras inspection and hub"
        return [Row("samples to look at, vs cleanlab Datalab", float("nan"), None, note=note)]
    n = 1_000 if quick else 10_000
    problem = make_problem(n, 128, 10, (1,))
    x, rng = problem.x, np.random.default_rng(1)
    wrong = rng.permutation(len(x))[: len(x) // 20]
    labels = problem.y.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
    probe, trainer = ProbeConfig(penalties=(PENALTY,)), TrainerConfig()
    probabilities = cross_fit(x, labels, num_classes=10, folds=5, seed=0, probe=probe, trainer=trainer)
    suspected: dict[str, NDArray[np.bool_]] = {}

    def ours() -> None:
        near = find_neighbours(x, 20)
        suspected["scar"] = check_labels(probabilities, near, labels).suspected
        find_pairs(np.arange(len(x)), near, 0.99, np.zeros(len(x), bool))

    def theirs() -> None:
        lab = Datalab(data={"label": labels}, label_name="label", verbosity=0)
        kinds: dict[str, dict] = {"label": {}, "outlier": {}, "near_duplicate": {}}
        lab.find_issues(pred_probs=probabilities, features=x, issue_types=kinds)
        suspected["Datalab"] = lab.get_issues("label")["is_label_issue"].to_numpy()

    times = interleave("look", {"scar": ours, "Datalab": theirs}, repetitions)
    planted = np.zeros(len(x), bool)
    planted[wrong] = True
    said = ", ".join(
        f"{name} names {int(each.sum())}, {100 * planted[each].mean():.0f} % of them planted, {100 * each[planted].mean():.0f} % of the planted"
        for name, each in suspected.items()
    )
    value = times["Datalab"].median / times["scar"].median
    return [Row("samples to look at, vs cleanlab Datalab", value, 1, note=f"{len(x)}×128, 5 % wrong labels; {said}")]
