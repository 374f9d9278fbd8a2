"""How the jobs of a sweep are composed, shared out and run."""
