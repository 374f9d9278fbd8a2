"""The training sets that are compared, and the cases of the paper's ablations."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scar.reduction.keep import clusters_for
from scar.reduction.settings import ReductionConfig


@dataclass(frozen=True, kw_only=True)
class PairArm:
    """One way to make a training set for the pair model.

    Attributes:
        name: of the arm.
        pairs: ``"full"``, ``"random"`` or ``"reduced"``.
        refined: whether its captions are refined.
        short: whether it takes as many steps as a reduced set does, rather than as many epochs.
    """

    name: str
    pairs: str
    refined: bool = False
    short: bool = False


FULL = PairArm(name="full", pairs="full")
ARMS = (
    FULL,
    PairArm(name="full_short", pairs="full", short=True),
    PairArm(name="random", pairs="random"),
    PairArm(name="random_refined", pairs="random", refined=True),
    PairArm(name="reduced", pairs="reduced"),
    PairArm(name="reduced_refined", pairs="reduced", refined=True),
)
"""Four that the study is about; ``random_refined`` completes Table 2a, ``full_short`` costs what a reduced set costs."""
COMPARED = (
    ("reduced_refined", "full"),
    ("reduced_refined", "full_short"),
    ("reduced_refined", "random"),
    ("reduced_refined", "reduced"),
    ("reduced", "random"),
    ("reduced", "full"),
    ("random_refined", "random"),
    ("random", "full"),
)
"""Differences that are tested, fixed before any result."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of an ablation table: the reduction that it stands for.

    Attributes:
        table: ``"2b"`` … ``"2f"``.
        name: of the row, as the paper names it where it has it.
        override: of the command that trains the pair models of this case.
        reduction: its settings.
        encoder_images: cluster embeddings of the study's encoder, in place of the captioner's own.
    """

    table: str
    name: str
    override: str
    reduction: ReductionConfig
    encoder_images: bool = False


_RULES = {
    "gradient": "gradient-based",
    "hard": "hard-sample",
    "uniform": "uniform",
    "large_distance": "large distance",
    "semantic_dedup": "semantic dedup",
    "k_center": "k-center",
    "random": "random",
}
_FEATURES = {
    "image": "Image Embedding",
    "text": "Text Embedding",
    "bag_of_codes": "Codebook",
    "mean_code": "Codebook, mean code",
    "index_vector": "Codebook, index vector",
}
SHARES = (0.1, 0.25, 0.5, 1.0)
CLUSTER_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Numbers of clusters that are tried, over the default one."""


def cases(base: ReductionConfig, pairs: int) -> list[Case]:
    """Return the cases of Tables 2b-2f around the settings of a study, each differing from them in one thing.

    Args:
        base: settings of the study.
        pairs: training pairs.
    """
    clusters = base.clusters or clusters_for(pairs)
    found = [
        Case(table="2b", name=name, override=f"reduction.keep={rule}", reduction=replace(base, keep=rule))
        for rule, name in _RULES.items()
    ]
    for init, name in (("xavier", "xavier"), ("keywords", "key words/phrases")):
        captioner = replace(base.captioner, codebook_init=init, object_tags=None)
        override = f"reduction.captioner.codebook_init={init}"
        found.append(Case(table="2c", name=name, override=override, reduction=replace(base, captioner=captioner)))
    found += [
        Case(table="2d", name=name, override=f"reduction.features={kind}", reduction=replace(base, features=kind))
        for kind, name in _FEATURES.items()
    ]
    encoder = replace(base, features="image")
    found.append(
        Case(table="2d", name="Pretrained Image Embedding", override="", reduction=encoder, encoder_images=True)
    )
    found += [
        Case(
            table="2e", name=f"{share:.0%}", override=f"reduction.share={share:g}", reduction=replace(base, share=share)
        )
        for share in sorted({*SHARES, base.share})
    ]
    for factor in CLUSTER_FACTORS:
        k = max(2, round(factor * clusters))
        found.append(
            Case(table="2f", name=str(k), override=f"reduction.clusters={k}", reduction=replace(base, clusters=k))
        )
    return found
