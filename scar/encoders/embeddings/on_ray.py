"""``extraction=ray``: tasks of Ray make the shards of embeddings, in the place where every process makes them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar.common.progress import progress_bar
from scar.common.ray_cluster import (
    check_request,
    connected,
    enter,
    inherited,
    is_connected,
    is_death,
    room,
    thread_variables,
)
from scar.data.catalogue import Catalogue
from scar.encoders.embeddings.cost import COST
from scar.encoders.embeddings.extraction import SHARD, KeptSamples, embed_together
from scar.encoders.embeddings.reuse import find_reusable
from scar.encoders.encoder import Encoder
from scar.store.artefact import PARTIAL
from scar.store.keys import Key
from scar.store.store import Store

_POLL = 1.0
# Seconds between two looks at how many shards are there.


@dataclass(frozen=True, kw_only=True)
class RayExtraction:
    """What an extraction asks of Ray.

    Attributes:
        address: of a cluster that runs, ``"auto"`` for that of this machine; None starts one here, which ends with it.
        workers: tasks, each with an encoder of its own; None takes as many as the cluster has room for.
        cpus: cores of a task, and threads that it uses.
        gpus: GPUs of a task; may be a share.
        retries: how often Ray starts a task again whose process or node died.
    """

    name: str = "ray"
    address: str | None = None
    workers: int | None = None
    cpus: int = 1
    gpus: float = 0
    retries: int = 3

    def __post_init__(self) -> None:
        check_request("extraction", address=self.address, cpus=self.cpus, gpus=self.gpus, retries=self.retries)
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"extraction.workers={self.workers} must be at least 1, or null for all that have room")


def embed_on_ray(
    store: Store,
    key: Key,
    catalogue: Catalogue,
    read: Callable[[Catalogue], KeptSamples],
    encoder: Encoder,
    tower: Key,
    settings: RayExtraction,
) -> None:
    """Make the shards that the store lacks; `scar.encoders.embeddings.stored.embed` then finds and joins them.

    Every task does what `embed_together` does: it takes the next shard that nobody holds, one batch ahead of its encoder, with
    one shard in memory. A task that dies is started again, and its shard is free. Inside a task of Ray, nothing is
    done: the tasks of a sweep share their shards anyway.

    Args:
        store: of the artefact; its folder is on every node.
        key: of the artefact.
        catalogue: of the samples.
        read: returns what reads the samples that the catalogue kept.
        encoder: of their modality.
        tower: of `encoder_key`; embeddings of the same contents under it are taken over.
        settings: what is asked of Ray.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: there is no cluster at the address.
        RuntimeError: the cluster has no room, or all tasks died as often as they may; finished shards are kept.
    """
    if store.policy == "only-cache" or store.has(key) or is_connected():
        return
    partial, final = store.root / PARTIAL / key.digest, None if store.policy == "refresh" else store.path(key)
    with store.booked(key.stage), connected(settings.address) as ray:
        reuse = None
        if store.policy == "reuse" and not encoder.learns:
            reuse = find_reusable(store, tower.digest, catalogue.contents[encoder.modality])
        count = settings.workers or room(ray, cpus=settings.cpus, gpus=settings.gpus)
        if not count:
            raise RuntimeError(
                f"extraction.cpus={settings.cpus} and extraction.gpus={settings.gpus} are more than a node of the cluster has"
            )
        task = ray.remote(_embed).options(num_cpus=settings.cpus, num_gpus=settings.gpus, max_retries=settings.retries)
        work = ray.put(pickle.dumps((read(catalogue), encoder, partial, final, reuse)))
        environment = inherited() | thread_variables(settings.cpus)
        tasks = [task.remote(work, str(Path.cwd()), environment) for _ in range(count)]
        with progress_bar(f"embedding with {encoder.name} on Ray", len(catalogue.ids)) as advance:
            _wait(ray, tasks, partial, len(catalogue.ids), advance)


def _wait(ray: Any, tasks: list[Any], partial: Path, total: int, advance: Callable[[int], None]) -> None:
    """Wait until one task is through, and with it all shards; the others have nothing left to do."""
    shown, waiting = 0, tasks
    while waiting:
        ready, waiting = ray.wait(waiting, timeout=_POLL)
        made = min(total, SHARD * sum(1 for _ in partial.glob(f"shard-*.{COST}")))
        advance(max(0, made - shown))
        shown = max(shown, made)
        for each in ready:
            try:
                ray.get(each)
            except ray.exceptions.RayError as error:
                if not is_death(ray, error):
                    raise (getattr(error, "cause", None) or error) from None
                death = error
            else:
                for other in waiting:
                    with suppress(ray.exceptions.RayError):
                        ray.cancel(other)
                return
    raise RuntimeError(
        f"Ray lost all {len(tasks)} tasks of an extraction: {str(death).splitlines()[0]}; finished shards are kept, and the "
        "same command goes on from them"
    )


def _embed(work: bytes, directory: str, environment: Mapping[str, str]) -> None:
    """Embed shards until all are there: the body of a task."""
    enter(directory, environment)
    embed_together(*pickle.loads(work))  # what the command has sent
