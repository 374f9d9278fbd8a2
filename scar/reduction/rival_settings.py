"""How the choices of pairs that stand beside the paper's are made; no torch is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass

REPRESENTATIVES = ("centre", "best")
"""Which pair of a group of near-duplicates stays: the one in the middle of them, or that with the highest score."""
GROUPS = ("thumbnails", "embeddings")
"""By what the rules with both filters find near-duplicates: thumbnails, or frozen embeddings of the images."""


@dataclass(frozen=True, kw_only=True)
class RivalSettings:
    """Settings of the rivals; the defaults were set on other scenes than those that are reported on.

    Attributes:
        filtered: share of the pairs that a score leaves out.
        cosine: of frozen image embeddings, above which pairs are near-duplicates in meaning (SemDeDup).
        levels: root mean square distance of thumbnails, in levels of 0..255, up to which they are near-duplicates to the eye.
        groups: near-duplicates of the rules with both filters, one of `GROUPS`: by `levels`, or by `cosine`.
        representative: of a group of them, one of `REPRESENTATIVES`; the middle is that of the thumbnails.
        target: share of the pairs that the negative CLIP loss leaves to the norm similarity.
        temperature: of the log-weights of soft caps, which are ranks over it.
        penalty: of a repeat.
        mixtures: small pair models from which the weights of concepts are learned.
        mixture_steps: of each of them; no more than those of a pair model.
    """

    filtered: float = 0.2
    cosine: float = 0.9
    levels: float = 8.5
    groups: str = "thumbnails"
    representative: str = "centre"
    target: float = 0.5
    temperature: float = 0.25
    penalty: float = 2.0
    mixtures: int = 48
    mixture_steps: int = 150

    def __post_init__(self) -> None:
        if not 0 <= self.filtered < 1:
            raise ValueError(f"reduction.rivals.filtered={self.filtered} must be a share in [0, 1)")
        if not 0 < self.target <= 1:
            raise ValueError(f"reduction.rivals.target={self.target} must be a share in (0, 1]")
        if not -1 <= self.cosine <= 1:
            raise ValueError(f"reduction.rivals.cosine={self.cosine} is a cosine similarity in [-1, 1]")
        for name in ("levels", "penalty"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"reduction.rivals.{name}={getattr(self, name)} must not be negative")
        if not self.temperature > 0:
            raise ValueError(f"reduction.rivals.temperature={self.temperature} must be above 0")
        for name, allowed in (("groups", GROUPS), ("representative", REPRESENTATIVES)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"reduction.rivals.{name}={getattr(self, name)!r} is unknown; use one of {', '.join(allowed)}"
                )
        for name, least in (("mixtures", 8), ("mixture_steps", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"reduction.rivals.{name}={getattr(self, name)} must be at least {least}")
