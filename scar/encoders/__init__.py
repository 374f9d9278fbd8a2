"""Encoders: from payloads to embeddings. A new one is one class and one YAML."""

from scar.encoders.base import Encoder

__all__ = ["Encoder"]
