"""Completion: from needs to a plan of what to add (§4.2)."""
