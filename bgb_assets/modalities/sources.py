"""What a source of uploads is: where `bgb ingest MODALITY PREFIX:REST` fetches from.

Belongs here: the types that source plug-ins are written against. Does not belong here: talking to any source (a module
of its modality), registering what was fetched (`bgb_assets.engine`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Offer:
    """One upload that a source has, or had.

    Attributes:
        path: Names the upload, as `Found.path` does; begins with the source's name: `beatsaver.1a2b3.zip`.
        origin: Where it comes from, for people: an address, a path.
        version: Changes when other bytes would be fetched; what is held in this version is not fetched again.
        facts: What the source says that is not in the bytes; part of the identity of what reads `facts`.
        popularity: What it says that changes with time; never part of an identity but the manifest's.
        document: The source's own words, kept beside the bytes; None for none.
        gone: The source took it back: the upload is marked as vanished.
    """

    path: str
    origin: str
    version: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    popularity: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None
    gone: bool = False


class Source(Protocol):
    """Where uploads can be fetched from: `bgb ingest beatmap beatsaver:`. Picklable; nothing happens before `plan`.

    Registered as an entry point of the group `bgb_assets.sources`, named `<modality>:<prefix>`, whose value is a
    function `(rest: str, options: Mapping[str, str]) -> Source`: `rest` is what follows the prefix and its colon,
    `options` are the command's further options (`--max-maps 10` gives `{"max_maps": "10"}`). It raises `UsageError`
    where they are wrong.

    Attributes:
        at_once: How many uploads may be fetched at a time.
        processes: Fetch in worker processes (work for the CPU), not in threads (waiting for a network).
    """

    @property
    def at_once(self) -> int:
        """See above."""

    @property
    def processes(self) -> bool:
        """See above."""

    def plan(self, held: Mapping[str, str], work: Path) -> Iterator[Offer]:
        """Yield what the source has, as it is found; what is `held` (path -> version) too, for what is said of it.

        Args:
            held: The uploads of this source that are present.
            work: This source's folder for what must survive a kill: cursors, unfinished downloads.

        Raises:
            SourceError: The source cannot be asked; what was offered stays.
        """

    def fetch(self, offer: Offer, work: Path, out: Path) -> None:
        """Write the files of one upload into the empty directory `out`.

        Raises:
            BadInput: The offer cannot be had or used, now and later: it is rejected with this reason.
            SourceError: It could not be had now: the next ingest tries again.
        """
