"""The report of a study of reductions."""
