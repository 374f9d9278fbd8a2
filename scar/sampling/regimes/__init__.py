"""Regimes: the circumstances in which completion is asked for, as pure functions on a split."""
