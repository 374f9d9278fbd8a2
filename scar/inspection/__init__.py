"""Samples to look at: likely label errors, duplicates, outliers, borderline samples, mismatched pairs."""
