"""Data reduction for image-text pairs, put to the test: `scar experiment=reduction`."""
