"""Shards to batches: datasets, order, samplers, collate."""
