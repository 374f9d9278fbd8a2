"""Many linear probes at once: what they are trained on, how, and what they become."""
