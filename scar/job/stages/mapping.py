"""The map of the samples."""

from __future__ import annotations

from pathlib import Path

from scar.data.catalogue import Catalogue
from scar.data.source import Source
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import KeptSamples
from scar.job.flow import Format, Stage
from scar.job.map_points import Previews
from scar.job.previews import show_samples
from scar.job.stages.planning import planned_labels
from scar.sampling.layout import MapLayout, lay_out
from scar.sampling.splits import Split


def draw_map(
    embeddings: EmbeddingSet, split: Split, *, points: int, method: str, slice_size: int, seed: int
) -> MapLayout:
    """Lay samples of every part out in two dimensions; of several labels each stands under its rarest."""
    classes = planned_labels(split, None)
    return lay_out(embeddings, split, classes, points=points, method=method, slice_size=slice_size, seed=seed)


def preview(
    layout: MapLayout, catalogue: Catalogue, split: Split, *, texts: bool, pictures: int, source: Source, data_dir: Path
) -> Previews:
    """Read what the points of a map look like."""
    kept = KeptSamples(source, data_dir, catalogue.ids)
    classes = planned_labels(split, None)
    return show_samples(layout, kept, split.test, classes, texts=texts, pictures=pictures)


LAYOUT = Stage("layout", draw_map, Format.file(MapLayout, "layout.npz"))
PREVIEWS = Stage("previews", preview, Format.file(Previews, "previews.npz"))
