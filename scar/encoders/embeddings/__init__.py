"""Embeddings of a whole dataset: the set, its extraction, its cost, and what is taken over from earlier ones."""
