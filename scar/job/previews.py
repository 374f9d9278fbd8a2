"""What the points of a map look like: beginnings of texts, thumbnails, and the words that tell a slice from the rest.

They lie in the store and in the folder of the job, and go into the page of a report; nothing uploads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scar.common.randomness import generator
from scar.common.types import Ints
from scar.encoders.embeddings.extraction import KeptSamples
from scar.encoders.previews import excerpt, thumbnail
from scar.job.map_points import Previews
from scar.sampling.layout import MapLayout, spread

EXCERPT = 100
"""Characters of a text."""
SIDE = 48
"""Longest side of a thumbnail in pixels."""
WORDS = 5
"""That tell a slice from the rest."""
SHOWN = ("image", "video")
"""Modalities of which there are thumbnails."""


def show_samples(
    layout: MapLayout, kept: KeptSamples, test: Ints, classes: Ints, *, texts: bool, pictures: int
) -> Previews:
    """Read what the points of a map look like.

    Args:
        layout: n points.
        kept: reads the samples.
        test: [n_test] rows of the test part.
        classes: [N] class of every sample.
        texts: whether to keep beginnings of texts, and words of slices.
        pictures: thumbnails at most, shared among the classes.
    """
    modalities = kept.source.modalities
    shown = [each for each in modalities if each in SHOWN] if pictures else []
    if not (shown or (texts and "text" in modalities)):
        return Previews(texts=[], pictures={}, words={})
    payloads = kept().payloads
    found: Sequence[str] = []
    words: Mapping[int, Sequence[str]] = {}
    if texts and "text" in payloads:
        found = [excerpt(payloads["text"][int(row)], EXCERPT) or "" for row in layout.rows]
        whole = [excerpt(payloads["text"][int(row)], 10 * EXCERPT) or "" for row in test]
        words = telling_words(whole, layout.clusters)
    thumbnails: dict[int, bytes] = {}
    if shown:
        chosen = spread(layout.rows, classes[layout.rows], pictures, generator(0, "pictures of the map"))
        for place in np.flatnonzero(np.isin(layout.rows, chosen)):
            try:
                small = thumbnail(payloads[shown[0]][int(layout.rows[place])], SIDE, kind="jpeg")
            except (OSError, ValueError):  # a picture that cannot be read is no reason to lose a finished job
                continue
            if small is not None:
                thumbnails[int(place)] = small
    return Previews(texts=found, pictures=thumbnails, words=words)


def telling_words(texts: Sequence[str], clusters: Ints) -> dict[int, list[str]]:
    """Return, by cluster, the words whose share of its texts exceeds that of the others most, on the scale of log-odds.

    Args:
        texts: n of them.
        clusters: [n] cluster of each.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    numbers = np.unique(clusters)
    if len(numbers) < 2:
        return {}
    counter = CountVectorizer(binary=True, stop_words="english", max_features=20_000)
    try:
        seen = counter.fit_transform(texts)
    except ValueError:  # no word at all
        return {}
    names, total = counter.get_feature_names_out(), np.asarray(seen.sum(axis=0)).ravel()
    found = {}
    for cluster in numbers:
        inside = clusters == cluster
        size, own = int(inside.sum()), np.asarray(seen[inside].sum(axis=0)).ravel()
        here, there = (own + 0.5) / (size + 1), (total - own + 0.5) / (len(texts) - size + 1)
        score = (here - there) * np.log(here / (1 - here) / (there / (1 - there)))
        best = np.argsort(-np.where(here > there, score, -1), kind="stable")[:WORDS]
        found[int(cluster)] = [str(names[each]) for each in best if own[each] > 1 and here[each] > there[each]]
    return found
