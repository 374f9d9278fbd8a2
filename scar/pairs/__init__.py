"""Pairs of modalities: clusters of one that supervise the other, and how well the two agree (§4.3)."""

from scar.pairs.alignment import Alignment, align, has_joint_space
from scar.pairs.retrieval import Retrieval
from scar.pairs.supervision import ModalityClusters, Supervision, supervise

__all__ = ["Alignment", "ModalityClusters", "Retrieval", "Supervision", "align", "has_joint_space", "supervise"]
