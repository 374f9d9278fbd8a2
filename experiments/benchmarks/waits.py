"""The rows about what people wait for: small data, many classes and reports, each a command of its own, in processor time.

Processor time (user and system) of the whole process is judged, imports and report included, with one thread, so that other
work on the machine hardly counts.
"""

import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.benchmarks.timing import RECORD, Row

COMMAND = ("dataset=table", "dataset.root={root}", "encoder=tfidf", "subsets=quick", "paths.output_dir={output}")
CHARACTERIZE = """
import time
import numpy as np
import scar
rng = np.random.default_rng(0)
labels = np.arange(1000) % 5
features = (rng.standard_normal((1000, 64)) + 2 * np.eye(5, 64)[labels]).astype(np.float32)
start = time.process_time()
scar.characterize(features, labels)
print(time.process_time() - start)
"""

LAUNCH = """
import os, sys
child = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, used = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
# A small process that starts the one which is measured: the peak of a process counts the memory of what started it, too.


@dataclass(frozen=True)
class Spent:
    """Processor seconds and peak resident MiB of a process."""

    seconds: float
    mebibytes: float


def spend(suite: str, case: str, arguments: list[str], *, repetition: int = 0) -> Spent:
    """Run Python with one thread and return what it took."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    with tempfile.TemporaryFile() as log:
        launch = [sys.executable, "-I", "-S", "-c", LAUNCH, *arguments]
        done = subprocess.run(launch, stdout=subprocess.PIPE, stderr=log, env=environment, check=True, text=True)
        code, seconds, mebibytes = done.stdout.split()
        if int(code):
            log.seek(0)
            raise RuntimeError(f"{' '.join(arguments)} ended with {code}:\n{log.read().decode()[-3000:]}")
    spent = Spent(float(seconds), float(mebibytes))
    note = {"suite": suite, "case": case, "repetition": repetition, "load_average": os.getloadavg()[0]}
    RECORD.append({**note, "seconds": spent.seconds})
    return spent


def write_texts(path: Path, classes: int, each: int) -> None:
    """Write texts of words that their class has more often than the others, and of words at random."""
    rng = np.random.default_rng(0)
    lines = ["text,label"]
    for label in range(classes):
        own = rng.integers(0, 5000, 8)
        for _ in range(each):
            words = rng.permutation([*rng.choice(own, 6), *rng.integers(0, 5000, 9)])
            lines.append(" ".join(f"w{word}" for word in words) + f",class{label:04d}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def on_texts(suite: str, classes: int, each: int, repetitions: int) -> float:
    """Return the median processor seconds from the command to the report on texts."""
    found = []
    for repetition in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            write_texts(Path(folder) / "texts.csv", classes, each)
            asked = [each.format(root=Path(folder) / "texts.csv", output=folder) for each in COMMAND]
            case = f"{classes} × {each}"
            found.append(spend(suite, case, ["-m", "scar.commands.run", *asked], repetition=repetition).seconds)
    return statistics.median(found)


def small_rows(quick: bool, repetitions: int) -> list[Row]:
    """600 texts from the command to the report, and `scar.characterize` after the import."""
    note = "processor time, one thread: imports, job, Weights & Biases offline, report"
    rows = [
        Row("600 texts, from the command to the report", on_texts("small", 4, 150, repetitions), 6, "s", False, note)
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    run = {"check": True, "capture_output": True, "text": True, "env": environment}
    seconds = [
        float(subprocess.run([sys.executable, "-c", CHARACTERIZE], **run).stdout.split()[-1])
        for _ in range(repetitions)
    ]
    return [*rows, Row("characterize, 1 000 × 64, after import scar", statistics.median(seconds), 3, "s", False)]


def class_rows(quick: bool, repetitions: int) -> list[Row]:
    """1 000 classes of 12 texts; then equally many embeddings in more and more classes, the whole job and its stages."""
    classes = 50 if quick else 1000
    seconds = on_texts("classes", classes, 12, 1)
    rows = [Row(f"{classes} classes × 12 texts, from the command to the report", seconds, 60, "s", False)]
    samples, counts = (3_000, (10, 100)) if quick else (30_000, (10, 100, 1000, 5000))
    whole, stages = {}, {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            asked = write_embeddings(Path(folder), samples, count)
            whole[count] = spend("classes", f"K={count}", ["-m", "scar.commands.run", *asked]).seconds
            (record,) = Path(folder).glob("*/jobs/*/status.json")
            stages[count] = {name: each["seconds"] for name, each in json.loads(record.read_text())["stages"].items()}
    exponent = max(growth(whole).values())
    note = ", ".join(f"{count}: {seconds:.1f}" for count, seconds in whole.items())
    rows.append(
        Row("a job over K, exponent of its steepest part", exponent, 1, "", False, f"{samples} × 32; s: {note}")
    )
    steepest = {
        name: max(growth({k: each.get(name, 0.0) for k, each in stages.items()}).values())
        for name in stages[counts[-1]]
    }
    name = max(steepest, key=lambda stage: steepest[stage])
    said = ", ".join(f"{k}: {each.get(name, 0):.1f}" for k, each in stages.items())
    rows.append(Row("its stages over K, exponent of the steepest", steepest[name], 1, "", False, f"{name}; s: {said}"))
    return rows


def growth(seconds: dict[int, float], least: float = 1.0) -> dict[int, float]:
    """Return ``log(t / t') / log(K / K')`` from each K' to the next K; what takes less than a second counts as one."""
    pairs = zip(list(seconds), list(seconds)[1:], strict=False)
    return {b: math.log(max(seconds[b], least) / max(seconds[a], least)) / math.log(b / a) for a, b in pairs}


def write_embeddings(folder: Path, samples: int, classes: int) -> list[str]:
    """Write embeddings of so many classes with their labels, and return what asks for a job on them."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(samples) % classes)
    matrix = rng.normal(size=(classes, 32))[labels] + 0.7 * rng.normal(size=(samples, 32))
    np.save(folder / "embeddings.npy", matrix.astype(np.float32))
    (folder / "labels.csv").write_text("label\n" + "\n".join(f"c{label:04d}" for label in labels) + "\n")
    asked = ["dataset=embeddings_file", f"dataset.root={folder}", "dataset.labels_file=labels.csv", "subsets=quick"]
    return [*asked, "logger=csv", f"paths.output_dir={folder}"]


def report_rows(quick: bool, repetitions: int) -> list[Row]:
    """A report on six groups, and on very many jobs: copies of a small one under other names and seeds."""
    few, many = (2, 20) if quick else (6, 1_000)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        asked = ["dataset=digits", "subsets=quick", "forecast.compositions=0", "map=none", "logger=csv", "report=false"]
        spend("report", "the job", ["-m", "scar.commands.run", *asked, f"paths.output_dir={folder}", "study=one"])
        (job,) = (folder / "one" / "jobs").iterdir()
        copy_jobs(job, folder / "few", groups=few, seeds=1)
        copy_jobs(job, folder / "many", groups=many // 20, seeds=20)
        run = ["-m", "scar.commands.report", f"paths.output_dir={folder}", "force=true", "resamples=200"]
        each = [spend("report", f"{few} groups", [*run, "study=few"], repetition=r) for r in range(repetitions)]
        large = spend("report", f"{many} jobs", [*run, "study=many"])
    seconds, mebibytes = (
        statistics.median(getattr(spent, unit) for spent in each) for unit in ("seconds", "mebibytes")
    )
    note = f"{many} jobs took {large.seconds:.0f} s and {large.mebibytes:.0f} MiB; scaled to 10 000 beyond what {few} groups take"
    return [
        Row(f"a report on {few} groups", seconds, 8, "s", False, f"{mebibytes:.0f} MiB"),
        Row("a report on 10 000 jobs", scaled(seconds, large.seconds, many, 10_000), 60, "s", False, note),
        Row("its memory", scaled(mebibytes, large.mebibytes, many, 10_000), 300, "MiB", False, "scaled likewise"),
    ]


def scaled(few: float, large: float, many: int, jobs: int) -> float:
    """Return what so many jobs take, by what `many` take (`large`) beyond what does not grow with them, which `few` groups show."""
    return few + max(large - few, 0.0) / many * jobs


def copy_jobs(job: Path, study: Path, *, groups: int, seeds: int) -> None:
    """Write copies of a finished job, those of a group under one encoder."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    from scar.common.files import read_json, write_json
    from scar.job.rows import read_stored

    rows, settings = read_stored(job / "rows.parquet"), (job / "config.yaml").read_text()
    status = read_json(job / "status.json")
    encoder = rows["encoder"][0].as_py()
    for group in range(groups):
        for seed in range(seeds):
            folder = study / "jobs" / f"{group}-{seed}"
            folder.mkdir(parents=True)
            own = rows
            changes = {"encoder": f"{encoder}{group}", "job": folder.name, "seed": seed}
            for name, value in changes.items():
                kind = rows.schema.field(name).type
                place = own.column_names.index(name)
                own = own.set_column(place, rows.schema.field(name), pa.repeat(pa.scalar(value, kind), len(rows)))
            write_table(own, folder / "rows.parquet")
            changed = re.sub(r"(?m)^seed: .*$", f"seed: {seed}", settings)
            changed = re.sub(r"(?m)^(encoder:\n(?:  .*\n)*?  title: ).*$", rf"\g<1>encoder {group}", changed)
            (folder / "config.yaml").write_text(changed.replace(f"name: {encoder}\n", f"name: {encoder}{group}\n"))
            write_json(folder / "status.json", {**status, "files": {}, "job": folder.name})
            (folder / "predictions.npz").hardlink_to(job / "predictions.npz")
