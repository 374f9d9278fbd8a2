"""Pairs of modalities: clusters of one that supervise the other, and how well the two agree (§4.3)."""
