"""The source `bids:<folder>`: a local data set in BIDS names, images in it and masks in `derivatives/<name>/`.

Planning reads names, links, the masks' sidecars and the table of participants, and no image. Belongs here: the order of
things. Does not belong here: files and links (`tree`), visits (`visits`), plans (`planning`). Next in the flow: the
engine registers what was fetched for `raw`.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from bgb_assets.modalities.mri.pairing.names import is_nifti, parse_name
from bgb_assets.modalities.mri.pairing.participants import PARTICIPANTS_FILE, participant_row
from bgb_assets.modalities.mri.scans.wholeness import check_digest
from bgb_assets.modalities.mri.sources.cohort import Asked, read_options
from bgb_assets.modalities.mri.sources.plan import Origin, files_of, refuse_flagged
from bgb_assets.modalities.mri.sources.planning import planned_offers
from bgb_assets.modalities.mri.sources.tree import files_below, open_below, stat_version
from bgb_assets.modalities.mri.sources.visits import SourceFile, Survey, Visit, survey_names
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import BadInput, SourceError, UsageError
from bgb_assets.storage.digests import sha256_json

PREFIX = "bids"
COPIES_AT_ONCE = 4
_BLOCK_BYTES = 1 << 20


def source(rest: str, options: Mapping[str, str]) -> "BidsTree":
    """Return the source for what a command says: `bids:/path/to/ds004884 --include-tse true`.

    Raises:
        UsageError: There is no such folder, an option is unknown or cannot be read.
    """
    root = Path(rest).expanduser()
    if not rest or not root.is_dir():
        raise UsageError(f"{PREFIX}: name the folder of a data set, {PREFIX}:/path/to/ds004884, got {rest!r}")
    return BidsTree(root.resolve(), read_options(PREFIX, options))


@dataclass(frozen=True)
class BidsTree:
    """The scans of one folder; see `bgb_assets.modalities.sources.Source`."""

    root: Path
    asked: Asked = field(default_factory=Asked)
    at_once: int = COPIES_AT_ONCE
    processes: bool = False

    def plan(self, held: Mapping[str, str], work: Path) -> Iterator[Offer]:
        """Yield the scans that are wanted; images whose bytes are on another disk are planned with all others.

        Raises:
            SourceError: The folder cannot be read, or what `planning.planned_offers` finds wrong with the whole.
        """
        files = files_below(self.root, _is_read)
        state = sha256_json([[file.path, file.version, file.is_here, file.leaves] for file in files])
        origin = Origin(PREFIX, str(self.root), root=str(self.root))
        yield from planned_offers(origin, state, self.asked, lambda: self._survey(files), held, work)

    def fetch(self, offer: Offer, work: Path, out: Path) -> None:
        """Copy image, mask and the mask's sidecar to their places below `out`, byte for byte.

        Raises:
            BadScan: What was planned cannot be used; `digest_mismatch`; `unsafe_path`.
            SourceError: A file is not on this disk, or changed since it was planned.
        """
        refuse_flagged(offer)
        for file in files_of(offer).values():
            target = out / file["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            origin = open_below(self.root, file["path"])
            check_digest(copy_hashed(origin, target), file["sha256"])
            if file["sha256"] is None and stat_version(origin.stat()) != file["version"]:
                raise SourceError(f"{origin}: changed since it was looked at; ingest again")

    def _survey(self, files: list[SourceFile]) -> Survey:
        survey = survey_names(files, self.asked.cohort.modality, self._sidecar)
        tables = [file.path for file in files if file.path == PARTICIPANTS_FILE]

        @cache
        def said(subject: str) -> Mapping[str, Any]:
            row = self._participant(tables, subject)
            return {"participant": row} if row else {}

        wanted = self.asked.cohort.excludes
        visits = (
            replace(visit, facts=said(visit.subject)) if wanted(visit) is None else visit for visit in survey.visits
        )
        return replace(survey, visits=tuple(_with_own_bytes_first(visit) for visit in visits))

    def _sidecar(self, path: str) -> bytes | None:
        """Return the bytes of a sidecar, or None: it is not there, not on this disk, or outside."""
        try:
            return open_below(self.root, path).read_bytes()
        except (SourceError, BadInput):
            return None

    def _participant(self, tables: list[str], subject: str) -> dict[str, str]:
        try:
            return participant_row(self.root, tables, subject)
        except BadInput as error:
            raise SourceError(f"{self.root}: {error}") from error


def copy_hashed(origin: Path, target: Path) -> str:
    """Copy a file and return its SHA-256; where the disk can, both share their blocks until one is changed.

    No hard link: what is changed at its source must not change the copy.
    """
    with origin.open("rb") as source_file, target.open("wb") as sink:
        left = os.fstat(source_file.fileno()).st_size
        try:
            while left and (copied := os.copy_file_range(source_file.fileno(), sink.fileno(), left)):
                left -= copied
        except (OSError, AttributeError):  # another file system, or macOS, which has no such call
            source_file.seek(0)
            sink.seek(0)
            while block := source_file.read(_BLOCK_BYTES):
                sink.write(block)
    with target.open("rb") as copy:
        return hashlib.file_digest(copy, "sha256").hexdigest()


def _is_read(path: str) -> bool:
    """Say whether a plan needs to know of a file."""
    return is_nifti(path) or path == PARTICIPANTS_FILE or (path.endswith("mask.json") and parse_name(path).is_mask)


def _with_own_bytes_first(visit: Visit) -> Visit:
    # A sidecar that is not on this disk said nothing, and is not waited for.
    files = {
        role: file for role, file in visit.files.items() if role != "sidecar" or (file.is_here and not file.leaves)
    }
    return replace(visit, files=files)
