"""The plan of one upload: how far its hits go, and what is to be done where they end. Opens no file.

Belongs here: following hits, stage by stage. Does not belong here: asking the catalog (`bgb_assets.chain`),
doing the work (`engine.walk`).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from bgb_assets.engine.bookkeeping import Bookkeeper
from bgb_assets.engine.outcomes import StageOutcome, UploadOutcome, outcome_of, rejected
from bgb_assets.engine.walk import WalkTask
from bgb_assets.engine.wanted import facets_read, wanted
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Modality, Stage
from bgb_assets.storage.quarantine import Quarantine, Rejection
from bgb_assets.storage.records import Record
from bgb_assets.storage.uploads import UploadRecord


@dataclass(frozen=True)
class Order:
    """What a run was asked for: the stages whose outcomes are wanted, and those to rebuild."""

    selected: frozenset[str]
    forced: frozenset[str]

    @property
    def last(self) -> str:
        """The last stage to be brought up to date."""
        return max(self.selected, key=PER_UPLOAD_STAGES.index)


class Plan:
    """One upload while its hits are followed; no file is opened."""

    def __init__(self, upload: UploadRecord, stages: tuple[Stage, ...]) -> None:
        self.upload = upload
        self.stages = stages
        self.records: dict[str, Record] = {}
        self.identity = ""
        self.missed = False
        self.rejection: Rejection | None = None

    @property
    def going(self) -> bool:
        """Whether the next stage is still to be looked at."""
        return not self.missed and self.rejection is None

    def want(self, modality: str, index: int) -> None:
        """Work out the identity that the upload wants at a stage."""
        stage = self.stages[index]
        self.identity = wanted(modality, stage, facets_read(stage, self.upload, self.records)).digest()

    def settle(self, record: Record | None, forced: bool, books: Bookkeeper, quarantine: Quarantine) -> None:
        """Decide between hit (`record` is there), rejection and miss."""
        if forced:
            self.missed = True
        elif record is not None:
            self.records[record.stage] = record
        else:
            row = quarantine.get(self.identity) if self.identity in books.rejected_identities else None
            self.rejection = row.for_upload(self.upload.key) if row is not None and not row.retried else None
            self.missed = self.rejection is None

    def task(self, root: Path, modality: Modality, order: Order) -> WalkTask:
        """Return the work for an upload that was missed."""
        return WalkTask(root, modality, self.stages, self.upload, order.selected, self.records, order.forced)

    def outcome(self) -> UploadOutcome:
        """Return what became of an upload of which no stage needs to be called."""
        stages: dict[str, StageOutcome] = {}
        for stage in self.stages:
            if stage.name in self.records:
                stages[stage.name] = outcome_of(self.records[stage.name], called=False)
            elif self.rejection is not None:
                stages[stage.name] = rejected(stage.name, self.rejection)
        return UploadOutcome(self.upload.key, stages)


def only(outcome: UploadOutcome, selected: frozenset[str]) -> UploadOutcome:
    """Return the outcome of the selected stages."""
    return replace(outcome, stages={name: item for name, item in outcome.stages.items() if name in selected})
