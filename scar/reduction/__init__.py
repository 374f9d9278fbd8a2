"""Data reduction for image-text pairs: a codebook captioner, cluster sampling and refined captions (the TL;DR paper)."""
