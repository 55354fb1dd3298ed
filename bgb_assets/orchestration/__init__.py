"""The only package that imports dagster: assets, partitions, sensors, checks, event log."""
