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
        path: Names the upload, as `Found.path` does; begins with the source's prefix: `beatsaver.1a2b3.zip`. Of
            two offers of one path in one plan the first decides.
        origin: Where it comes from, for people: an address, a path.
        version: Changes when other bytes would be fetched; what is held in this version is not fetched again.
        facts: What the source says that is not in the bytes; part of the identity of what reads `facts`.
        popularity: What it says that changes with time; never part of an identity but the manifest's.
        document: The source's own words, kept beside the bytes; None for none. Facts, popularity and document
            hold plain JSON values.
        gone: The source took it back: the upload is marked as vanished, whatever the other fields say.
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

        Fetching goes on meanwhile, in other threads or processes. A plan may be closed at any `yield` (`--limit`, a
        kill), so a cursor is moved when all that lies before it was yielded. What was yielded and could not be fetched
        yet is kept by the engine and asked for again: a cursor need not wait for it.

        Args:
            held: The uploads of this source that are present with all their bytes.
            work: This source's folder for what must survive a kill: cursors, unfinished downloads. For
                `--dry-run` a copy of it without large files, which is thrown away.

        Raises:
            SourceError: The source cannot be asked; what was offered stays.
        """

    def fetch(self, offer: Offer, work: Path, out: Path) -> None:
        """Write the files of one upload into the empty directory `out`: at least one, no links.

        Called for several offers at once. `out` and `work` lie on one disk, so that a file can be renamed from one
        into the other. One file that is an archive is handed on unpacked, as in an inbox.

        Raises:
            BadInput: The offer cannot be had or used, now and later: it is rejected with this reason.
            SourceError: It could not be had now: the next ingest tries again.
        """
