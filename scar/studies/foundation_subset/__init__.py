"""The foundation-subset study, `scar experiment=foundation_subset`: how small a subset keeps the accuracy."""
