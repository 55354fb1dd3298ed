"""A whole source of uploads that takes milliseconds: a folder with a list of offers and their files.

For tests of the machinery, of any modality. `Shelf` fills the folder; `source` is the function of an entry point. Every
call of `plan` and `fetch` leaves a line in `calls`, whichever thread or process made it. An offer asks for trouble by a
file `trouble/<path>` that holds `bad` (BadInput), `later` (SourceError), `bug` (another exception), `kill` (the process
dies), `full` (no space left), `link` (a link is written), `nothing` (no file is), `slow` (it takes a moment), `stall`
(waits until it is killed, after it wrote `stalled`).

Belongs here: the source and how to fill it. Does not belong here: fixtures (`conftest`), the uploads (`toy`).
"""

import errno
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.chain import Chain
from bgb_assets.engine.landing import SourceReport
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import BadInput, SourceError, UsageError

PREFIX = "shelf"
BREAK = "break"
"""An offer of this path stands for a source that cannot be asked any further."""


@dataclass(frozen=True)
class FolderSource:
    """Offers what `offers.json` lists. A `cursor` in the work folder counts the plans that came to their end."""

    folder: Path
    at_once: int = 2
    processes: bool = False

    def plan(self, held: Mapping[str, str], work: Path) -> Iterator[Offer]:
        """Yield the offers in their order."""
        _note(self.folder, f"plan {len(held)}")
        for value in json.loads((self.folder / "offers.json").read_text()):
            if value["path"] == BREAK:
                raise SourceError("the shelf does not answer; try later")
            yield Offer(**value)
        cursor = work / "cursor"
        cursor.write_text(str(int(cursor.read_text()) + 1 if cursor.is_file() else 1))

    def fetch(self, offer: Offer, work: Path, out: Path) -> None:
        """Copy the offer's files, or make the trouble that it asks for."""
        _note(self.folder, f"fetch {offer.path}")
        trouble = self.folder / "trouble" / offer.path
        if trouble.is_file():
            self._make_trouble(trouble.read_text(), out)
        shutil.copytree(self.folder / "files" / offer.path, out, dirs_exist_ok=True)
        if trouble.is_file() and trouble.read_text() == "nothing":
            shutil.rmtree(out)

    def _make_trouble(self, word: str, out: Path) -> None:
        if word == "bad":
            raise BadInput("the page is torn, expected a whole one", "glue it")
        if word == "later":
            raise SourceError("somebody else reads it now")
        if word == "bug":
            raise ValueError("a bug in the source")
        if word == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        if word == "slow":
            time.sleep(0.2)
        if word == "link":
            (out / "link").symlink_to(self.folder)
        if word == "stall":
            (self.folder / "stalled").touch()
            while True:
                time.sleep(0.05)


def source(rest: str, options: Mapping[str, str]) -> FolderSource:
    """Return the source of a folder; `--at-once N` and `--processes true` are its options."""
    known = {"at_once", "processes"}
    if unknown := sorted(set(options) - known):
        raise UsageError(f"the shelf has no option {unknown[0]!r}")
    return FolderSource(Path(rest), int(options.get("at_once", "2")), options.get("processes") == "true")


class Shelf:
    """Fills the folder of a `FolderSource`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offers: dict[str, dict[str, Any]] = {}
        (folder / "files").mkdir(parents=True)
        (folder / "trouble").mkdir()
        self._save()

    def put(self, path: str, files: Mapping[str, str] | Path | None = None, **fields: Any) -> None:
        """Offer an upload under `shelf.<path>` with these files (name -> text, or a folder), or offer it otherwise."""
        name = f"{PREFIX}.{path}"
        place = self.folder / "files" / name
        if isinstance(files, Path):
            shutil.copytree(files, place)
        elif files is not None:
            shutil.rmtree(place, ignore_errors=True)
            for file, text in files.items():
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                (place / file).write_text(text)
        held = self.offers.get(name, {"path": name, "origin": f"shelf://{path}", "version": "1"})
        self.offers[name] = {**held, **fields}
        self._save()

    def trouble(self, path: str, word: str | None) -> None:
        """Let the fetch of an offer go wrong, or go right again."""
        place = self.folder / "trouble" / f"{PREFIX}.{path}"
        if word is None:
            place.unlink()
        else:
            place.write_text(word)

    def break_after(self, count: int | None) -> None:
        """Let the plan end in an error after so many offers, or no more."""
        self.offers.pop(BREAK, None)
        if count is not None:
            listed = list(self.offers.items())
            listed.insert(count, (BREAK, {"path": BREAK}))
            self.offers = dict(listed)
        self._save()

    def calls(self) -> list[str]:
        """Return what was called since the last time, in order, without the number of held uploads."""
        path = self.folder / "calls"
        found = path.read_text().splitlines() if path.is_file() else []
        path.unlink(missing_ok=True)
        return found

    def fetched(self) -> list[str]:
        """Return the paths that were fetched since the last time, sorted, without the prefix."""
        return sorted(line.removeprefix(f"fetch {PREFIX}.") for line in self.calls() if line.startswith("fetch"))

    def _save(self) -> None:
        (self.folder / "offers.json").write_text(json.dumps(list(self.offers.values())))


def installed(site: Path, modality: str) -> Path:
    """Write a package's metadata that registers the source for a modality; return the folder for `sys.path`."""
    info = site / "shelf-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[bgb_assets.sources]\n{modality}:{PREFIX} = {__name__}:source\n")
    return site


def ingest(chain: Chain, shelf: Shelf, *, limit: int | None = None, processes: bool = False) -> SourceReport:
    """Bring the upload records in line with a shelf."""
    return SourceIngest(chain, PREFIX, FolderSource(shelf.folder, processes=processes)).run(limit=limit)


def _note(folder: Path, line: str) -> None:
    with (folder / "calls").open("a") as file:
        file.write(f"{line}\n")
