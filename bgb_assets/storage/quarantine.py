"""Rejected inputs: one JSON row per identity, with the reason and what to do about it.

A row of kind `input` holds until anything in the identity changes; of kind `crash` it is tried again on the
next two runs. Belongs here: the rows. Does not belong here: what counts as bad (the modalities).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from bgb_assets.storage.atomic import write_json

CRASH_RETRIES = 2


@dataclass(frozen=True)
class Rejection:
    """Why a stage refused an upload.

    Attributes:
        kind: `input` (the upload is wrong), `crash` (its worker died) or `bug` (the stage raised).
        attempts: How often it was tried.
    """

    identity: str
    modality: str
    stage: str
    key: str
    kind: str
    reason: str
    remedy: str
    attempts: int = 1

    @property
    def retried(self) -> bool:
        """Whether the next run tries again although nothing changed."""
        return self.kind == "crash" and self.attempts <= CRASH_RETRIES

    def for_upload(self, key: str) -> "Rejection":
        """Return the row as it holds for another upload of the same identity."""
        reason = self.reason.removeprefix(f"{self.modality}/{self.stage} {self.key!r}: ")
        return replace(self, key=key, reason=f"{self.modality}/{self.stage} {key!r}: {reason}")


class Quarantine:
    """The rows of one modality.

    Args:
        folder: One JSON file per identity.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, identity: str) -> Rejection | None:
        """Return the row of an identity."""
        try:
            value = orjson.loads((self._folder / f"{identity}.json").read_bytes())
        except FileNotFoundError:
            return None
        return Rejection(**value)

    def identities(self) -> set[str]:
        """Return the rejected identities; opens no file."""
        return {path.stem for path in self._folder.glob("*.json")} if self._folder.is_dir() else set()

    def add(self, rejection: Rejection) -> Rejection:
        """Write a row; a repeated crash counts up."""
        held = self.get(rejection.identity)
        attempts = held.attempts + 1 if held and held.kind == rejection.kind else 1
        row = Rejection(**{**asdict(rejection), "attempts": attempts})
        write_json(self._folder / f"{row.identity}.json", asdict(row))
        return row

    def remove(self, identity: str) -> bool:
        """Drop a row; say whether there was one."""
        try:
            (self._folder / f"{identity}.json").unlink()
        except FileNotFoundError:
            return False
        return True

    def rows(self) -> Iterator[Rejection]:
        """Yield all rows, by identity."""
        for identity in sorted(self.identities()):
            if (row := self.get(identity)) is not None:
                yield row
