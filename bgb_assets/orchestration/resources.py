"""The resource that gives assets a chain: run config may set workers and limits, nothing that changes results.

Belongs here: from run config to `Chain`. Does not belong here: data roots and params (`runtime.settings`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from bgb_assets.chain import Chain
from bgb_assets.modalities.contract import Modality
from bgb_assets.runtime.executor_local import executor_for
from bgb_assets.runtime.settings import RunSettings, load_settings


class ChainResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where and how wide the chain runs.

    Attributes:
        workers: Processes for per-upload stages: 0 in this process, -1 what `config.toml` says.
        max_bytes_in_flight: Bound on the memory of uploads in work; 0 for what `config.toml` says.
    """

    workers: int = -1
    max_bytes_in_flight: int = 0

    @contextmanager
    def chain(self, modality: Modality) -> Iterator[Chain]:
        """Give the chain of a modality; its workers are stopped at the end."""
        settings = load_settings()
        limits = settings.section(RunSettings(), "run")
        workers = limits.workers if self.workers < 0 else self.workers
        executor = executor_for(workers, self.max_bytes_in_flight or limits.max_bytes_in_flight)
        try:
            yield Chain(modality, settings, executor)
        finally:
            executor.close()
