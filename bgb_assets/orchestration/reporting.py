"""Reporting many materializations from one step, in batches.

A ranged run makes hundreds of uploads in one step. Each gets an event of its own, with its own metadata,
partition and data version, which Dagster's result objects cannot say; and the events go to the storage in
batches, which `context.log_event` cannot do. Belongs here: buffering and emitting. Does not belong here: what
is said about an upload (`assets.py`, which calls this) and how batches are stored (`event_log.py`).

`DagsterEvent.asset_materialization` with batch metadata is no documented API: `pyproject.toml` pins the
versions it was tried with, and a contract test says what has changed.
"""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

import dagster as dg
from dagster._core.events import DagsterEventBatchMetadata
from dagster._core.execution.context.system import StepExecutionContext

from bgb_assets.orchestration.event_log import BATCH_SIZE
from bgb_assets.orchestration.provenance import with_provenance

MAX_AGE_S = 1.0
"""Events are held back at most this long while more of them arrive, so that the UI shows progress."""


class BatchReporter:
    """Emits materializations from inside a step, in batches, while the step goes on.

    Use as a context manager: what was added is flushed on the way out, also when the step fails, because
    what is reported has been made. Not for use from several threads at once. The step's function must be a
    generator that ends with `yield from ()`: one that returns is asked for outputs that were not yielded.

    Args:
        context: The asset's context, or a step context.
        batch_size: Materializations of one asset per batch.
        max_age_s: Flush when the last flush was longer ago than this.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext | StepExecutionContext,
        batch_size: int = BATCH_SIZE,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size!r}")
        self._step = context if isinstance(context, StepExecutionContext) else context.get_step_execution_context()
        self._batch_size = batch_size
        self._max_age_s = max_age_s
        self._buffered: dict[dg.AssetKey, list[dg.AssetMaterialization]] = {}
        self._flushed_at_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def add(self, materialization: dg.AssetMaterialization) -> None:
        """Report one materialization, now or with the next batch.

        A second one for the same asset and partition comes after the first, in this batch or the next.
        """
        same_asset = self._buffered.setdefault(materialization.asset_key, [])
        same_asset.append(materialization)
        if len(same_asset) >= self._batch_size:
            self.flush()
        else:
            self.flush_if_due()

    def flush_if_due(self) -> None:
        """Flush when the last flush is longer ago than `max_age_s`: for a step that waits without adding."""
        if time.monotonic() - self._flushed_at_s >= self._max_age_s:
            self.flush()

    def flush(self) -> None:
        """Emit what is buffered, upstream assets first: a downstream event points at its upstream's id."""
        buffered, self._buffered = self._buffered, {}
        for asset_key in _upstream_first(self._step, buffered):
            for batch in _batches(buffered[asset_key], self._batch_size):
                _emit(self._step, with_provenance(self._step, batch))
        self._flushed_at_s = time.monotonic()


def report_materializations(
    context: dg.AssetExecutionContext | StepExecutionContext,
    materializations: Iterable[dg.AssetMaterialization],
    batch_size: int = BATCH_SIZE,
) -> int:
    """Report each materialization of an iterable as it comes; return how many there were."""
    count = 0
    with BatchReporter(context, batch_size) as reporter:
        for count, materialization in enumerate(materializations, start=1):  # noqa: B007
            reporter.add(materialization)
    return count


def _emit(step: StepExecutionContext, materializations: Sequence[dg.AssetMaterialization]) -> None:
    batch_id = str(uuid.uuid4())
    last = len(materializations) - 1
    for i, materialization in enumerate(materializations):
        metadata = DagsterEventBatchMetadata(batch_id, is_end=i == last)
        dg.DagsterEvent.asset_materialization(step, materialization, metadata)


def _upstream_first(step: StepExecutionContext, asset_keys: Iterable[dg.AssetKey]) -> list[dg.AssetKey]:
    """Order asset keys by the job's graph; the ones that it does not know come last."""
    position = {key: i for i, key in enumerate(step.job_def.asset_layer.asset_graph.toposorted_asset_keys)}
    return sorted(asset_keys, key=lambda key: (position.get(key, len(position)), key))


def _batches(
    materializations: Sequence[dg.AssetMaterialization], size: int
) -> Iterator[Sequence[dg.AssetMaterialization]]:
    for start in range(0, len(materializations), size):
        yield materializations[start : start + size]
