"""Embeddings of a dataset as an artefact: its key, and its shards made by every process that needs them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scar.common.ranks import everywhere
from scar.data.catalogue import Catalogue
from scar.data.fingerprint import fingerprint
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import KeptSamples, embed_shards, embed_together, merge_shards
from scar.encoders.embeddings.reuse import CONTENTS, find_reusable
from scar.encoders.encoder import Encoder
from scar.store.artefact import PARTIAL
from scar.store.keys import Key, make_key
from scar.store.store import Store


def encoder_key(encoder: Encoder, memo: Path) -> Key:
    """Return the identity of what an encoder makes of a payload, whatever the dataset.

    Args:
        encoder: of one modality.
        memo: file that remembers fingerprints by the status of the files.
    """
    return make_key("encoder", config=encoder, upstream=[fingerprint(encoder.weights(), memo=memo)], code=[embed])


def embed(
    store: Store, key: Key, catalogue: Catalogue, read: Callable[[Catalogue], KeptSamples], encoder: Encoder, tower: Key
) -> EmbeddingSet:
    """Return the embeddings [N, D] of the samples of a catalogue, made in shards where the store lacks them.

    Shards outlive an interruption, and every process that needs the same embeddings makes some of them.

    Args:
        store: of the artefact.
        key: of the artefact.
        catalogue: of the samples.
        read: returns what reads the samples that the catalogue kept.
        encoder: of their modality.
        tower: of `encoder_key`; embeddings of the same contents under it are taken over.
    """
    partial, reuse = store.root / PARTIAL / key.digest, None
    contents = catalogue.contents[encoder.modality] if not store.has(key) else None
    if contents is not None and store.policy != "only-cache":
        final = None if store.policy == "refresh" else store.path(key)
        with store.booked(key.stage):
            if store.policy == "reuse" and not encoder.learns:
                reuse = find_reusable(store, tower.digest, contents)
            everywhere(embed_together, read(catalogue), encoder, partial, final, reuse)

    def make(folder: Path) -> None:
        samples = read(catalogue)()
        embed_shards(samples, encoder, partial, reuse=reuse)
        merge_shards(samples, encoder, partial, folder)
        np.save(folder / CONTENTS, catalogue.contents[encoder.modality], allow_pickle=False)

    embeddings = store.load(key, make, EmbeddingSet.load, encoder=encoder.name, tower=tower.digest)
    shutil.rmtree(partial, ignore_errors=True)
    return embeddings
