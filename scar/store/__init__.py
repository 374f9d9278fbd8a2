"""Artefacts: their identity, their folders, and what happens to a damaged one."""
