"""How well a lesion map fits the truth, and what many of them say of a model."""
