"""Asset keys and upload partitions: Dagster's dynamic partitions as a projection of the upload records.

Belongs here: keys to partitions, keys to ranges. Does not belong here: finding uploads (`engine.ingest`).
"""

from collections.abc import Collection, Sequence
from itertools import pairwise

import dagster as dg

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def asset_key(modality: str, stage: str) -> dg.AssetKey:
    """Return the key of a stage's asset: `beatmap/raw`."""
    return dg.AssetKey([modality, stage])


def partitions_name(modality: str) -> str:
    """Return the name of a modality's dynamic partitions."""
    return f"{modality}_uploads"


def upload_partitions(modality: str) -> dg.DynamicPartitionsDefinition:
    """Return a modality's dynamic partitions: one per upload."""
    return dg.DynamicPartitionsDefinition(name=partitions_name(modality))


def sync_partitions(instance: dg.DagsterInstance, modality: str, present: Sequence[str]) -> tuple[list[str], list[str]]:
    """Make the instance's partitions those of the uploads that are present; return (added, deleted)."""
    name = partitions_name(modality)
    added, deleted = partition_changes(instance.get_dynamic_partitions(name), present)
    if added:
        instance.add_dynamic_partitions(name, added)
    for key in deleted:
        instance.delete_dynamic_partition(name, key)
    return added, deleted


def partition_changes(held: Sequence[str], present: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (keys to add, sorted; keys to delete)."""
    wanted = set(present)
    return sorted(wanted - set(held)), [key for key in held if key not in wanted]


def ranges(ordered: Sequence[str], wanted: Collection[str], most: int) -> list[tuple[str, str]]:
    """Cover the wanted partitions with at most `most` ranges (first, last), in the order of `ordered`.

    Dagster's ranges follow the order in which partitions were added. The smallest gaps are closed first: an
    upload inside a range that nobody asked for is a hit.
    """
    asked = set(wanted)
    positions = [i for i, key in enumerate(ordered) if key in asked]
    if not positions:
        return []
    gaps = sorted(range(1, len(positions)), key=lambda i: positions[i - 1] - positions[i])
    cuts = sorted(i for i in gaps[: most - 1] if positions[i] - positions[i - 1] > 1)
    bounds = [0, *cuts, len(positions)]
    return [(ordered[positions[a]], ordered[positions[b - 1]]) for a, b in pairwise(bounds)]
