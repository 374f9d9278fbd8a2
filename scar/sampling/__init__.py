"""Which samples play which part: step functions, splits, subsets, regimes, and how large the classes are."""
