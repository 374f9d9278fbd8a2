"""Scale, Coverage, Authenticity and Richness (§3.2, §4.3)."""
