"""What the Python API returns: what was found, what it advises, and both in words."""
