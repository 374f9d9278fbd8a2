"""Data sources: from files to `Samples` with ids, payloads, labels, splits and a content fingerprint."""
