"""Outer folds and restarts: which runs a variant is tested by, and what each says of the scans it never saw."""
