"""Scans as rows of Parquet, one row a visit, image and mask as bytes in it.

Two looks. The first reads subject, session, acquisition and the names of files, of row groups that have a lesion; the
second the bytes of image and mask, of chosen rows. No other column is ever read: those of other series are a hundred
times larger. Belongs here: what Parquet holds. Does not belong here: which rows are wanted (`cohort`), writing files
(`parquet`).
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from bgb_assets.modalities.mri.pairing.names import is_nifti, parse_name, with_prefix
from bgb_assets.modalities.mri.pairing.pairs import Method, ambiguous, safe_path
from bgb_assets.modalities.mri.scans.flags import BadScan, bad
from bgb_assets.modalities.mri.sources.visits import Role, SourceFile, Visit
from bgb_assets.runtime.errors import SourceError

LESION = "lesion"
IMAGE_COLUMNS = {"T2w": "t2w", "FLAIR": "flair", "T1w": "t1w"}
_SESSION_COLUMNS = ("subject_id", "session_id")
_ACQUISITION = "t2w_acquisition"

LARGE_BYTES = 64 << 20
"""Row groups above this are streamed, one at a time: a page, which may hold all of one, is in memory whole."""
_STREAM_BUFFER_BYTES = 8 << 20


@dataclass(frozen=True)
class Stored:
    """One file as a row has it.

    Attributes:
        path: Its name, or where it lies if there are no bytes.
        data: Its bytes.
    """

    path: str | None
    data: bytes | None


@dataclass(frozen=True)
class RowGroups:
    """What one look through a Parquet file found.

    Attributes:
        visits: One for each row that was read.
        n_rows: All of the file.
        unseen: Rows of groups without a lesion, passed over.
    """

    visits: tuple[Visit, ...]
    n_rows: int
    unseen: int


def look_through(handle: BinaryIO, file: SourceFile, modality: str, *, with_unlabelled: bool) -> RowGroups:
    """Return the visits of one Parquet file, reading no image.

    Args:
        handle: The file, open.
        file: What is known of it.
        modality: The kind of image that is the scan.
        with_unlabelled: Read row groups without a lesion too.

    Raises:
        SourceError: It is no such file.
    """
    with _opened(handle, file.path) as parquet:
        leaves = _Leaves.of(parquet.metadata, file.path, IMAGE_COLUMNS[modality])
        visits: list[Visit] = []
        unseen = 0
        for group in range(parquet.metadata.num_row_groups):
            chunk = parquet.metadata.row_group(group)
            if not with_unlabelled and leaves.has_no_lesion(chunk):
                unseen += chunk.num_rows
                continue
            n_bytes = leaves.file_bytes(chunk)
            rows = parquet.read_row_group(group, columns=leaves.names, use_threads=False).to_pylist()
            for number, row in enumerate(rows):
                visits.append(_visit(row, file, modality, {"row_group": group, "row": number, "group_bytes": n_bytes}))
        return RowGroups(tuple(visits), parquet.metadata.num_rows, unseen)


def read_files(
    handle: BinaryIO, where: str, group: int, rows: Sequence[int], modality: str
) -> Iterator[tuple[int, list[Stored], Stored | None]]:
    """Yield number, images and mask of some rows of a row group, in order; one row at a time is in memory.

    Raises:
        SourceError: It is no such file.
    """
    wanted = set(rows)
    column = IMAGE_COLUMNS[modality]
    with _opened(handle, where) as parquet:
        leaves = _Leaves.of(parquet.metadata, where, column)
        if group >= parquet.metadata.num_row_groups:
            raise SourceError(f"{where}: no row group {group}; it changed since it was looked at, ingest again")
        columns = [*leaves.image.values(), *leaves.lesion.values()]
        batches = parquet.iter_batches(batch_size=1, row_groups=[group], columns=columns, use_threads=False)
        for number, batch in enumerate(batches):
            if number in wanted:
                row = batch.to_pylist()[0]
                mask = row[LESION]
                yield number, [_stored(item) for item in _listed(row[column])], mask and _stored(mask)
            if number >= max(wanted):
                return


@dataclass(frozen=True)
class _Leaves:
    """Names of the stored columns: of struct fields, by field."""

    image: Mapping[str, str]
    lesion: Mapping[str, str]
    others: tuple[str, ...]
    numbers: Mapping[str, int]

    @classmethod
    def of(cls, metadata: Any, where: str, image_column: str) -> "_Leaves":
        paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
        known = {path: number for number, path in enumerate(paths)}
        image, lesion = _fields(paths, image_column), _fields(paths, LESION)
        missing = [name for name in _SESSION_COLUMNS if name not in known]
        missing += [
            name for name, fields in ((image_column, image), (LESION, lesion)) if set(fields) != {"bytes", "path"}
        ]
        if missing:
            there = sorted({path.split(".")[0] for path in paths})
            raise SourceError(
                f"{where}: no columns {missing} of scans, as structs of bytes and path; there are {there}"
            )
        has_acquisition = image_column == IMAGE_COLUMNS["T2w"] and _ACQUISITION in known
        others = (*_SESSION_COLUMNS, *([_ACQUISITION] if has_acquisition else []))
        return cls(image, lesion, others, known)

    @property
    def names(self) -> list[str]:
        """What the first look reads; names have as many members as the list has images."""
        return [*self.others, self.image["path"], self.lesion["path"]]

    def file_bytes(self, chunk: Any) -> int:
        """Return how much images and masks of a row group are when decompressed."""
        paths = (*self.image.values(), *self.lesion.values())
        return sum(int(chunk.column(self.numbers[path]).total_uncompressed_size) for path in paths)

    def has_no_lesion(self, chunk: Any) -> bool:
        """Say whether the row group's own counts show that no row has one."""
        counted = [chunk.column(self.numbers[path]).statistics for path in self.lesion.values()]
        return all(one is not None and one.has_null_count and one.null_count == chunk.num_rows for one in counted)


def _fields(paths: Sequence[str], column: str) -> dict[str, str]:
    """Return field -> stored column of a struct or of a list of structs."""
    return {path.rpartition(".")[2]: path for path in paths if path.startswith(f"{column}.")}


def _opened(handle: BinaryIO, where: str) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        parquet = ParquetFile(_arrow_file(handle), pre_buffer=False)
        known = parquet.metadata
        largest = max((known.row_group(number).total_byte_size for number in range(known.num_row_groups)), default=0)
        if largest > LARGE_BYTES:  # else a column chunk is read in one piece: one request where it is remote
            buffered = {"pre_buffer": False, "buffer_size": _STREAM_BUFFER_BYTES}
            parquet = ParquetFile(_arrow_file(handle), metadata=known, **buffered)
    except ArrowException as error:
        raise SourceError(f"{where}: not a Parquet file: {error}") from error
    return parquet


def _arrow_file(handle: BinaryIO) -> Any:
    """Return a file for Arrow: of a plain local one it reads itself, without a copy of all in Python between."""
    from pyarrow import OSFile, PythonFile

    return OSFile(str(handle.name), "r") if type(handle) is io.BufferedReader else PythonFile(handle, "r")


def _visit(row: Mapping[str, Any], file: SourceFile, modality: str, at: Mapping[str, int]) -> Visit:
    """Return a row as a visit; which of its images the mask is of is found by their names."""
    subject, session = with_prefix("sub", row["subject_id"]), with_prefix("ses", row["session_id"])
    if subject is None:
        raise SourceError(f"{file.path}: row {at['row']} of row group {at['row_group']} has no subject_id")
    images = [item["path"] for item in _listed(row[IMAGE_COLUMNS[modality]])]
    mask, has_mask = (row[LESION] or {}).get("path"), row[LESION] is not None
    label = row.get(_ACQUISITION)
    try:
        for name in (subject, session or "ses-"):
            _require_name(name, at)
        chosen = choose(images, mask)
    except BadScan as error:
        return Visit(subject, session, {}, has_mask, "row", label, error.flags)
    names = delivered_names(subject, session, modality, images[chosen] if images else None, mask)
    label = parse_name(names[0]).acquisition_label or label
    method: Method = "row" if images and has_mask else "none"
    version = f"{file.version}/{at['row_group']}/{at['row']}"
    there: Sequence[tuple[Role, bool, str]] = (("image", bool(images), names[0]), ("mask", has_mask, names[1]))
    files = {role: SourceFile(name, None, version) for role, is_there, name in there if is_there}
    facts = {"subject": subject, "session": session, "modality": modality, "acquisition_label": label}
    facts = {name: value for name, value in {**facts, "pair_method": method}.items() if value is not None}
    place = {"file": file.path, "version": file.version, **at, "image": chosen}
    return Visit(subject, session, files, has_mask, method, label, (), facts, place)


def _require_name(name: str, at: Mapping[str, int]) -> None:
    """Refuse a subject or session that is no name of a file: files are named by it."""
    if safe_path(name, f"row {at['row']} of row group {at['row_group']}") != name or "/" in name:
        raise bad("unsafe_path", f"{name!r} is no label of a subject or session", name)


def choose(images: Sequence[str | None], mask: str | None) -> int:
    """Return which image of a row is the scan: the only one, or that of the mask's name.

    Raises:
        BadScan: `ambiguous_pair`.
    """
    if len(images) < 2:
        return 0
    stem = parse_name(mask).stem if mask else None
    found = [number for number, path in enumerate(images) if path and parse_name(path).stem == stem]
    if len(found) != 1:
        raise ambiguous("the image of the row", [path or f"image {number}" for number, path in enumerate(images)])
    return found[0]


def delivered_names(
    subject: str, session: str | None, modality: str, image: str | None, mask: str | None
) -> tuple[str, str]:
    """Return under what names image and mask are delivered: their own where these show what they are."""
    visit = "_".join(filter(None, (subject, session)))
    own, mine = (PurePosixPath((path or "").replace("\\", "/")).name for path in (image, mask))
    if not _is_of(own, subject, session, modality):
        own = f"{visit}_{modality}.nii.gz"
    stem = parse_name(own).stem
    of_mask = parse_name(mine)
    if not (is_nifti(mine) and of_mask.is_mask and (image is None or of_mask.stem == stem)):
        mine = f"{stem}_desc-lesion_mask.nii.gz"
    return own, mine


def _is_of(name: str, subject: str, session: str | None, modality: str) -> bool:
    said = parse_name(name)
    return (
        is_nifti(name)
        and not said.is_mask
        and (said.subject, said.session, said.modality) == (subject, session, modality)
    )


def _listed(value: Any) -> list[Mapping[str, Any]]:
    """Return the members of a list of structs; the older form has a struct in its place."""
    if value is None:
        return []
    return [value] if isinstance(value, Mapping) else [item for item in value if item is not None]


def _stored(item: Mapping[str, Any]) -> Stored:
    return Stored(item.get("path"), item.get("bytes"))
