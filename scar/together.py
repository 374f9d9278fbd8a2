"""Jobs that see the same data through the same probe train their missing arms in one call of the bank."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice

from scar.pipeline import Arm, Job
from scar.store import Key, identity

AT_ONCE = 256
# Arms of one call: each holds a lock, and a process may open only so many files.


def evaluate_together(jobs: Sequence[Job]) -> None:
    """Make the missing arms of several jobs; `Job.evaluate` then finds them in the store.

    Jobs are grouped by `company`; the results are those of evaluating each job on its own, because a probe does not
    depend on the others of its bank.

    Raises:
        Exception: what a stage of a job raises; arms that were finished before stay in the store.
    """
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(company(job), []).append(job)
    for group in groups.values():
        for job in group:
            _ = job.plans  # before the arms are locked, so that nobody waits for a plan while holding an arm
        arms = {arm.key: (job, arm) for job in group for arm in job.arms}
        for keys in _chunks(list(arms)):
            _train_missing([arms[key] for key in keys])


def company(job: Job) -> str:
    """Return what jobs must have in common to train together: data, split, probe, machine and store."""
    config, store = job.config, job.store
    parts = [job.embeddings_key, job.split_key, store.root.absolute(), store.policy, config.trainer]
    return json.dumps([*map(str, parts), identity(config.probe)], sort_keys=True)


def _train_missing(arms: Sequence[tuple[Job, Arm]]) -> None:
    lead = arms[0][0]
    wanted: dict[Key, tuple[Job, Arm]] = {arm.key: (job, arm) for job, arm in arms}
    with lead.store.claim(list(wanted)) as missing:
        lead.train_arms({key: wanted[key][0].training_rows(wanted[key][1]) for key in missing})


def _chunks(keys: list[Key]) -> Iterator[list[Key]]:
    rest = iter(keys)
    while chunk := list(islice(rest, AT_ONCE)):
        yield chunk
