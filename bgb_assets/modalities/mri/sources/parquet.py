"""The source `parquet:<file or folder>`: scans as rows of Parquet; and the same rows wherever else they lie (`hub`).

Belongs here: the order of things, and the files of one row written as they are. Does not belong here: what Parquet
holds (`rows`), where it lies (`storage`), plans (`planning`).
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bgb_assets.modalities.mri.scans.flags import bad
from bgb_assets.modalities.mri.sources.cohort import Asked, read_options
from bgb_assets.modalities.mri.sources.plan import Origin, files_of, place_of, refuse_flagged
from bgb_assets.modalities.mri.sources.planning import planned_offers
from bgb_assets.modalities.mri.sources.rows import LARGE_BYTES, Stored, look_through, read_files
from bgb_assets.modalities.mri.sources.spool import Lay, Spool
from bgb_assets.modalities.mri.sources.storage import SUFFIX, LocalFolder, Storage
from bgb_assets.modalities.mri.sources.visits import SourceFile, Survey, Visit
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import SourceError, UsageError
from bgb_assets.storage.digests import sha256_json

PREFIX = "parquet"
ROWS_AT_ONCE = 4
_SPOOL = "rows"
_MASK = "mask"
_NAMED = ".path"
_BLOCK_BYTES = 1 << 20


def source(rest: str, options: Mapping[str, str]) -> "ParquetRows":
    """Return the source for what a command says: `parquet:/path/to/data --modality FLAIR`.

    Raises:
        UsageError: There is no such file or folder, an option is unknown or cannot be read.
    """
    path = Path(rest).expanduser()
    if not rest or not (path.is_dir() or (path.is_file() and path.suffix == SUFFIX)):
        raise UsageError(f"{PREFIX}: name a Parquet file or a folder of them, {PREFIX}:/path/to/data, got {rest!r}")
    place = path.resolve()
    storage = LocalFolder(place) if place.is_dir() else LocalFolder(place.parent, place.name)
    return ParquetRows(storage, Origin(PREFIX, str(place), root=str(place)), read_options(PREFIX, options))


@dataclass(frozen=True)
class ParquetRows:
    """The scans of some Parquet files; see `bgb_assets.modalities.sources.Source`."""

    storage: Storage
    origin: Origin
    asked: Asked = field(default_factory=Asked)
    at_once: int = ROWS_AT_ONCE
    processes: bool = False
    spool: Spool = field(default_factory=Spool, compare=False)

    def plan(self, held: Mapping[str, str], work: Path) -> Iterator[Offer]:
        """Yield the scans that are wanted.

        Raises:
            SourceError: The files cannot be had or read, or what `planning.planned_offers` finds wrong with the whole.
        """
        shutil.rmtree(work / _SPOOL, ignore_errors=True)
        said, tables = self.storage.tables()
        if not tables:
            raise SourceError(f"{self.origin.id}: no *{SUFFIX} there")
        state = sha256_json([said, self.origin.revision])
        offers = list(planned_offers(self.origin, state, self.asked, lambda: self._survey(tables), held, work))
        self._expect([offer for offer in offers if held.get(offer.path) != offer.version])
        yield from offers

    def fetch(self, offer: Offer, work: Path, out: Path) -> None:
        """Write image and mask of one row, byte for byte.

        Bytes in the row come first, and what `path` says beside them is a name; where there are none, `path` is one
        below the root.

        Raises:
            BadScan: What was planned cannot be used; `unsafe_path`; `empty_file`.
            SourceError: It cannot be had now, or changed since it was planned.
        """
        refuse_flagged(offer)
        place = place_of(offer)
        laid = self.spool.take(
            work / _SPOOL,
            _group(place),
            place["row"],
            lambda rows: self._rows(place, rows),
            is_large=place["group_bytes"] > LARGE_BYTES,
        )
        try:
            for role, file in files_of(offer).items():
                self._deliver(laid / (_image(place["image"]) if role == "image" else _MASK), out / file["path"])
        finally:
            shutil.rmtree(laid, ignore_errors=True)

    def _survey(self, tables: Sequence[SourceFile]) -> Survey:
        cohort = self.asked.cohort
        visits: list[Visit] = []
        n_rows = unseen = 0
        for file in tables:
            with self.storage.open(file.path) as handle:
                found = look_through(handle, file, cohort.modality, with_unlabelled=cohort.allow_no_mask)
            visits += found.visits
            n_rows += found.n_rows
            unseen += found.unseen
        n_bytes = sum(file.n_bytes or 0 for file in tables)
        return Survey(tuple(sorted(visits, key=lambda visit: visit.name)), n_rows, n_bytes, unseen, "rows")

    def _expect(self, offers: Iterable[Offer]) -> None:
        rows: dict[str, list[int]] = {}
        for offer in offers:
            if place := place_of(offer):
                rows.setdefault(_group(place), []).append(place["row"])
        for group, numbers in rows.items():
            self.spool.expect(group, numbers)

    def _rows(self, place: Mapping[str, Any], rows: Sequence[int]) -> Iterator[tuple[int, Lay]]:
        modality = self.asked.cohort.modality
        with self.storage.open(place["file"], place["version"]) as handle:
            for number, images, mask in read_files(handle, place["file"], place["row_group"], rows, modality):
                stored = {_image(n): image for n, image in enumerate(images)}
                yield number, partial(_lay_down, stored | ({} if mask is None else {_MASK: mask}))

    def _deliver(self, laid: Path, target: Path) -> None:
        """Move a file that was laid down, or copy the one that is named in its place."""
        if laid.is_file():
            laid.rename(target)
            return
        named = laid.with_name(laid.name + _NAMED)
        if not named.is_file():
            raise bad("empty_file", f"{target.name}: the row has neither bytes nor a path for it")
        with self.storage.open(named.read_text("utf-8")) as origin, target.open("wb") as sink:
            shutil.copyfileobj(origin, sink, _BLOCK_BYTES)


def _lay_down(stored: Mapping[str, Stored], folder: Path) -> int:
    """Write the files of one row, or where they lie; return their bytes."""
    laid_bytes = 0
    for name, file in stored.items():
        if file.data is not None:
            (folder / name).write_bytes(file.data)
            laid_bytes += len(file.data)
        elif file.path:
            (folder / (name + _NAMED)).write_text(file.path, "utf-8")
    return laid_bytes


def _group(place: Mapping[str, Any]) -> str:
    return f"{place['file']} {place['version']} {place['row_group']}"


def _image(number: int) -> str:
    return f"image{number}"
