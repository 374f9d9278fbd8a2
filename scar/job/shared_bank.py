"""Jobs that see the same data through the same probe train their missing arms in one call of the bank."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from scar.job.job import Arm, Job
from scar.job.stages.probing import retrain_together
from scar.store.keys import Key, identity

AT_ONCE = 128
"""Plans of one call: each holds a lock, and a process may open only so many files."""


def retrain_arms(jobs: Sequence[Job]) -> None:
    """Make the missing arms of several jobs; their handles then read them from the store.

    Jobs are grouped by `company`; the results are those of every job on its own, because a probe does not depend on the
    others of its bank.

    Raises:
        Exception: what a stage of a job raises; arms that were finished before stay in the store.
    """
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(company(job), []).append(job)
    for group in groups.values():
        for job in group:
            _ = job.plans  # before the arms are locked, so that nobody waits for a plan while holding an arm
        arms: dict[Key, list[Arm]] = {}
        for job in group:
            known = {each.probes.key for each in job.characterized.values()}
            for key, own in groupby(job.arms, lambda arm: arm.probes.key):
                if key not in known:
                    arms.setdefault(key, list(own))
        for keys in _chunks(list(arms)):
            _retrain_missing(group[0], {key: arms[key] for key in keys})


def company(job: Job) -> str:
    """Return what jobs must have in common to train together: data, split, probe, machine and store."""
    config, store, inputs = job.config, job.store, job.inputs
    parts = [inputs.embeddings.key, inputs.without_pool.key, store.root.absolute(), store.policy, config.trainer]
    return json.dumps([*map(str, parts), identity(config.probe)], sort_keys=True)


def _retrain_missing(lead: Job, arms: dict[Key, list[Arm]]) -> None:
    with lead.store.claim(list(arms)) as missing:
        if not missing:
            return
        config = lead.config
        made = retrain_together(
            [[arm.rows.value for arm in arms[key]] for key in missing],
            [None if (penalty := arms[key][0].penalty) is None else penalty.value for key in missing],
            (lead.embeddings, lead.steps, lead.split),
            probe=config.probe,
            seed=config.seed,
            trainer=config.trainer,
        )
        for key, each in zip(missing, made, strict=True):
            with lead.store.writing(key, packed=True) as folder:
                each.save(folder)


def _chunks(keys: list[Key]) -> Iterator[list[Key]]:
    rest = iter(keys)
    while chunk := list(islice(rest, AT_ONCE)):
        yield chunk
