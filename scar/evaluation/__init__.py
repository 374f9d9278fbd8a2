"""Differences between arms that share seeds, pool and test set: intervals, tests, their correction and power."""
