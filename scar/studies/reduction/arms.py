"""The training sets that are compared, and the cases of the paper's ablations."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scar.config.nodes import ConfigError
from scar.reduction.keep import clusters_for
from scar.reduction.settings import ReductionConfig

BUDGETS = (0.25, 0.5, 1.0)
"""Shares of the steps of a pair model at which the arms are compared; every arm has the same steps."""
CAPTIONS = ("original", "refined", "collapsed", "oracle")


@dataclass(frozen=True, kw_only=True)
class PairArm:
    """One way to make a training set for the pair model.

    Attributes:
        name: of the arm.
        pairs: ``"full"``, ``"random"``, ``"reduced"``, or one of `RIVALS`.
        captions: one of `CAPTIONS`: the original ones; with those of the captioner; with those of beam search, unmatched;
            with those of an oracle.
        wrong: probability of each fact of the oracle's captions to be wrong.
        encoder_images: for ``pairs="reduced"``: cluster embeddings of the study's encoder.
    """

    name: str
    pairs: str
    captions: str = "original"
    wrong: float = 0.0
    encoder_images: bool = False


RIVALS = (
    *("similarity", "neg_clip_loss", "norm_sim", "dedup", "similarity_dedup"),
    *("soft_cap", "need", "need_clean", "mixing", "mixing_clean"),
)
"""Choices that the paper does not have; `scar.studies.reduction.rival_stages` says what each is."""
RECOMMENDED = "similarity_dedup"
"""Chosen on other scenes, see experiments/reduction/README.md."""
ARMS = (
    PairArm(name="full", pairs="full"),
    PairArm(name="random", pairs="random"),
    PairArm(name="reduced", pairs="reduced"),
    PairArm(name="similarity_dedup", pairs="similarity_dedup"),
    PairArm(name="need", pairs="need"),
    PairArm(name="reduced_refined", pairs="reduced", captions="refined"),
    PairArm(name="random_refined", pairs="random", captions="refined"),
    PairArm(name="oracle_0", pairs="random", captions="oracle", wrong=0.0),
    PairArm(name="oracle_25", pairs="random", captions="oracle", wrong=0.25),
    PairArm(name="need_clean", pairs="need_clean"),
    PairArm(name="similarity", pairs="similarity"),
    PairArm(name="reduced_collapsed", pairs="reduced", captions="collapsed"),
    PairArm(name="oracle_50", pairs="random", captions="oracle", wrong=0.5),
    PairArm(name="oracle_75", pairs="random", captions="oracle", wrong=0.75),
    PairArm(name="neg_clip_loss", pairs="neg_clip_loss"),
    PairArm(name="norm_sim", pairs="norm_sim"),
    PairArm(name="dedup", pairs="dedup"),
    PairArm(name="soft_cap", pairs="soft_cap"),
    PairArm(name="mixing", pairs="mixing"),
    PairArm(name="mixing_clean", pairs="mixing_clean"),
)
COMPARED = (
    *((name, "full") for name in ("reduced", "reduced_refined", "random", RECOMMENDED)),
    *((name, "random") for name in ("reduced", *RIVALS)),
    *((name, "reduced") for name in (RECOMMENDED, "need", "need_clean", "reduced_refined", "reduced_collapsed")),
    *((name, "random") for name in ("random_refined", "oracle_0", "oracle_25", "oracle_50", "oracle_75")),
    *(("mixing", "need"), ("mixing_clean", RECOMMENDED), ("need_clean", RECOMMENDED)),
)
"""Differences that are tested, fixed before any result."""
NEEDED = ("full", "random", "reduced", RECOMMENDED)
"""Arms without which there is no report."""
CHARACTERIZED = ("full", "random", "reduced", "reduced_refined", "need", RECOMMENDED)
"""Arms whose images and captions SCAR is measured of."""


def arms_of(base: ReductionConfig) -> tuple[PairArm, ...]:
    """Return the arms that a study trains.

    Raises:
        ConfigError: one that it names is unknown, or one that every study needs is missing.
    """
    known = {arm.name: arm for arm in ARMS}
    if unknown := sorted(set(base.arms) - set(known)):
        raise ConfigError(f"reduction.arms names {unknown[0]!r}, which is none of {', '.join(known)}")
    if base.arms and (missing := sorted(set(NEEDED) - set(base.arms))):
        raise ConfigError(f"reduction.arms={list(base.arms)} lacks {missing[0]!r}, which the report needs; add it")
    return tuple(arm for arm in ARMS if not base.arms or arm.name in base.arms)


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
