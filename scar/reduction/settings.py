"""How image-text pairs are reduced and how the reduction is judged; no torch is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass, field

from scar.reduction.captioner_config import CaptionerConfig
from scar.reduction.pair_model_config import PairModelConfig
from scar.reduction.rival_settings import RivalSettings

FEATURES = ("bag_of_codes", "mean_code", "index_vector", "image", "text")
"""What is clustered; `scar.reduction.cluster_features` says what each is."""
RULES = ("uniform", "large_distance", "hard", "gradient", "random", "semantic_dedup", "k_center")
"""Which members of a cluster are kept; `scar.reduction.keep` says what each is."""
REFINEMENTS = ("original", "generated", "concatenated")
"""Which captions the kept pairs get."""
DECODINGS = ("beam", "nucleus", "greedy")
"""How captions are generated."""
COLLAPSED = {"method": "beam", "candidates": 1}
"""The decoding that writes one caption for many images (§3.2, "captioning collapse")."""
TABLES = ("2b", "2c", "2d", "2e", "2f")
"""Ablations of the paper: rules, initialisation, features, ratio, number of clusters."""
MOST_CLUSTERS = 3000
"""The paper's number (§3.2, Table 2f)."""


@dataclass(frozen=True, kw_only=True)
class ReductionConfig:
    """The two stages of the paper, what stands in place of its choices, and the model that judges the result.

    Attributes:
        captioner: stage 1, the codebook captioner (§3.1).
        share: of the pairs that is kept (the paper: 0.25).
        clusters: number of clusters; None takes the square root of the number of pairs, at most 3000.
        features: what is clustered, one of `FEATURES`.
        components: dimensions to which bags of codes and index vectors are reduced before they are clustered.
        keep: which members of a cluster are kept, one of `RULES`; ``"random"`` does without clusters.
        duplicate_threshold: cosine similarity above which ``"semantic_dedup"`` takes members as near-duplicates.
        refine: captions of the kept pairs, one of `REFINEMENTS` (§3.2).
        decoding: how captions are generated, one of `DECODINGS`. The paper does not say.
        beams: of ``"beam"``.
        top_p: probability mass that ``"nucleus"`` samples from.
        candidates: captions that are written of each image, of which the best by pair score is taken; above 1 they need
            ``"nucleus"``.
        match: quantile of the scores of the original captions that a written one has to reach; 0 takes all, unscored.
        generation_batch: images that are captioned at once.
        pair_filter_share: share of the pairs, those with the lowest pair score, left out before anything else.
        pair_threshold: pair score below which pairs are left out, in place of a share; None sets none.
        pair_model: the model that is trained on the pairs, to judge them and for the pair score.
        seeds: of the pair models that are compared.
        arms: names of those that are trained and compared; none takes all.
        rivals: how the choices are made that the paper does not have.
        tables: ablations that are made, of `TABLES`; their rows are trained and judged by probes.
        table_seeds: how many of the seeds their pair models have, the first ones.
    """

    captioner: CaptionerConfig = field(default_factory=CaptionerConfig)
    share: float = 0.25
    clusters: int | None = None
    features: str = "bag_of_codes"
    components: int = 64
    keep: str = "uniform"
    duplicate_threshold: float = 0.95
    refine: str = "concatenated"
    decoding: str = "beam"
    beams: int = 3
    top_p: float = 0.9
    candidates: int = 1
    match: float = 0.0
    generation_batch: int = field(default=256, metadata={"runtime": True})
    pair_filter_share: float = 0.0
    pair_threshold: float | None = None
    pair_model: PairModelConfig = field(default_factory=PairModelConfig)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    arms: tuple[str, ...] = ()
    rivals: RivalSettings = field(default_factory=RivalSettings)
    tables: tuple[str, ...] = field(default=TABLES, metadata={"runtime": True})
    table_seeds: int = field(default=2, metadata={"runtime": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", tuple(self.seeds))
        object.__setattr__(self, "arms", tuple(self.arms))
        object.__setattr__(self, "tables", tuple(self.tables))
        if unknown := sorted(set(self.tables) - set(TABLES)):
            raise ValueError(f"reduction.tables names {unknown[0]!r}, which is none of {', '.join(TABLES)}")
        choices = {"features": FEATURES, "keep": RULES, "refine": REFINEMENTS, "decoding": DECODINGS}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"reduction.{name}={getattr(self, name)!r} is unknown; use one of {', '.join(allowed)}"
                )
        for name in ("share", "top_p"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"reduction.{name}={getattr(self, name)} must be a share in (0, 1]")
        for name in ("components", "beams", "candidates", "generation_batch", "table_seeds"):
            if getattr(self, name) < 1:
                raise ValueError(f"reduction.{name}={getattr(self, name)} must be at least 1")
        if self.clusters is not None and self.clusters < 1:
            raise ValueError(f"reduction.clusters={self.clusters} must be at least 1, or null to follow the size")
        if not -1 < self.duplicate_threshold <= 1:
            raise ValueError(
                f"reduction.duplicate_threshold={self.duplicate_threshold} is a cosine similarity in (-1, 1]"
            )
        for name in ("pair_filter_share", "match"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"reduction.{name}={getattr(self, name)} must be a share in [0, 1)")
        if self.candidates > 1 and self.decoding != "nucleus":
            raise ValueError(
                f"reduction.candidates={self.candidates} of decoding={self.decoding} would be the same; use nucleus"
            )
        if self.pair_filter_share and self.pair_threshold is not None:
            raise ValueError(
                f"reduction.pair_filter_share={self.pair_filter_share} and reduction.pair_threshold="
                f"{self.pair_threshold} both filter; set one of them to 0 or null"
            )
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"reduction.seeds={list(self.seeds)} must be distinct whole numbers of at least 0")
