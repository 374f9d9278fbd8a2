"""Data sources: from files to `Samples` with ids, payloads, labels, splits and a content fingerprint."""

from scar.data.samples import TEST, TRAIN, Samples

__all__ = ["TEST", "TRAIN", "Samples"]
