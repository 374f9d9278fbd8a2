"""Encoders: from payloads to embeddings. A new one is one class and one YAML."""
