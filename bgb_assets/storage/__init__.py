"""Bytes, modality-blind: identities, entries, catalog, tables, shards."""
