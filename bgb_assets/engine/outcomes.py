"""What became of an upload at a stage, or of a fan-in: the engine's answer to everyone who asks.

Belongs here: the outcome types. Does not belong here: how they are shown (`cli`, `orchestration`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bgb_assets.storage.quarantine import Rejection
from bgb_assets.storage.records import Record

Outcome = Literal["built", "hit", "absent", "quarantined"]


@dataclass(frozen=True)
class StageOutcome:
    """What became of one stage.

    Attributes:
        outcome: `built` (the function was called), `hit` (the entry was there), `absent` (nothing to do
            here), `quarantined`.
        data_version: Digest of the entry's outputs; `quarantined:<identity>` for a rejection.
        called: Whether the stage's function was called in this run.
        record: The entry.
        parts: The parts of the entry that have entries of their own and were looked up or made.
    """

    stage: str
    outcome: Outcome
    identity: str
    data_version: str
    called: bool = False
    seconds: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    record: Record | None = None
    parts: tuple[Record, ...] = ()
    rejection: Rejection | None = None


@dataclass(frozen=True)
class UploadOutcome:
    """What became of one upload in a run.

    Attributes:
        stages: Stage -> outcome, for the selected stages.
        unstable: Its files changed while they were read; nothing was committed, the next look asks again.
    """

    key: str
    stages: Mapping[str, StageOutcome]
    unstable: str | None = None

    @property
    def rejection(self) -> Rejection | None:
        """Return why the upload was rejected, or None."""
        return next((o.rejection for o in self.stages.values() if o.rejection is not None), None)


def outcome_of(record: Record, *, called: bool, seconds: float = 0.0, parts: tuple[Record, ...] = ()) -> StageOutcome:
    """Return the outcome that an entry stands for."""
    name: Outcome = "absent" if record.absent is not None else "built" if called else "hit"
    return StageOutcome(
        stage=record.stage,
        outcome=name,
        identity=record.identity,
        data_version=record.data_version,
        called=called,
        seconds=seconds,
        metadata=record.metadata,
        warnings=record.warnings,
        record=record,
        parts=parts,
    )


def rejected(stage: str, rejection: Rejection, *, called: bool = False) -> StageOutcome:
    """Return the outcome of a stage at, or below, a rejection."""
    return StageOutcome(
        stage=stage,
        outcome="quarantined",
        identity=rejection.identity,
        data_version=f"quarantined:{rejection.identity}",
        called=called,
        metadata={"reason": rejection.reason, "remedy": rejection.remedy, "rejected_by": rejection.stage},
        rejection=rejection,
    )
