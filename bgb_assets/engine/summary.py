"""What the newest run did, stage by stage: read by `bgb status` whichever way the run was started.

Belongs here: counting outcomes and keeping the last counts. Does not belong here: the state of the store.
"""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from bgb_assets.engine.outcomes import StageOutcome, UploadOutcome
from bgb_assets.storage.atomic import write_json
from bgb_assets.storage.layout import Layout
from bgb_assets.storage.leases import lease

OUTCOMES = ("built", "hit", "absent", "quarantined")


class Summary:
    """Counts of outcomes by stage, for one run."""

    def __init__(self) -> None:
        self.uploads = 0
        self.unstable: list[str] = []
        self._counts: dict[str, dict[str, Any]] = {}

    def add(self, outcome: UploadOutcome) -> None:
        """Count an upload."""
        self.uploads += 1
        if outcome.unstable:
            self.unstable.append(outcome.key)
        self.add_stages(outcome.stages.values())

    def add_stages(self, stages: Iterable[StageOutcome]) -> None:
        """Count stages."""
        for item in stages:
            counts = self._counts.setdefault(item.stage, {**dict.fromkeys(OUTCOMES, 0), "called": 0, "seconds": 0.0})
            counts[item.outcome] += 1
            counts["called"] += int(item.called)
            counts["seconds"] += item.seconds

    def as_json(self) -> Mapping[str, Mapping[str, Any]]:
        """Return stage -> counts."""
        return self._counts

    def save(self, path: Path) -> None:
        """Replace the kept counts of the stages that this run touched."""
        if not self._counts:
            return
        now = time.time()
        with lease(path.with_suffix(".lock")):
            kept = dict(read_summary(path))
            kept.update({stage: {**counts, "at_s": now} for stage, counts in self._counts.items()})
            write_json(path, kept)


def read_summary(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the kept counts, stage by stage."""
    try:
        value: Mapping[str, Mapping[str, Any]] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return value


def summary_path(layout: Layout, modality: str) -> Path:
    """Return where a modality's counts are kept."""
    return layout.state / "last_run" / f"{modality}.json"
