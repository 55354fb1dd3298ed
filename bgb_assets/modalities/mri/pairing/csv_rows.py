"""A table of scans beside loose files: `image,mask,subject_id,session_id,acquisition`.

Belongs here: reading it. Does not belong here: which of its files are there (`folders`).
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from bgb_assets.modalities.mri.pairing.names import with_prefix
from bgb_assets.modalities.mri.pairing.pairs import safe_path
from bgb_assets.modalities.mri.scans.flags import BadScan, Flag
from bgb_assets.runtime.errors import BadInput

COLUMNS = ("image", "mask", "subject_id", "session_id", "acquisition")
_NEEDED = ("image", "mask", "subject_id")
MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class Row:
    """One scan as the table has it.

    Attributes:
        line: Its line in the file, counted from 1.
        image: Path beside the table, or None.
        mask: Path beside the table, or None.
        subject: `sub-<label>`.
        session: `ses-<label>`, or None.
        acquisition: The label, or None.
        flag: `unsafe_path`, where a path leaves the folder; image and mask are then None.
    """

    line: int
    image: str | None
    mask: str | None
    subject: str
    session: str | None
    acquisition: str | None
    flag: Flag | None = None

    @property
    def name(self) -> str:
        """Subject and session: what the upload is called."""
        return self.subject if self.session is None else f"{self.subject}_{self.session}"

    @property
    def files(self) -> tuple[str, ...]:
        """The files it names."""
        return tuple(path for path in (self.image, self.mask) if path is not None)


def is_scan_table(path: Path) -> bool:
    """Say whether a file's first line has the columns of such a table."""
    try:
        with path.open("rb") as file:
            header = file.readline(4096).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    return set(_NEEDED) <= {name.strip() for name in header.split(",")}


def read_rows(path: Path) -> list[Row]:
    """Return the scans of a table, in its order; rows that name neither image nor mask are left out.

    Raises:
        BadInput: It is not UTF-8, too large, or a row lacks its subject.
    """
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"{path.name}: {path.stat().st_size} bytes, at most {MAX_BYTES}", "split the table")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name}: not UTF-8: {error}", "save the table as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        return _rows(reader, path.name)
    except csv.Error as error:
        raise BadInput(f"{path.name}, line {reader.line_num}: {error}", "save the table as plain CSV") from error


def _rows(reader: "csv.DictReader[str]", where: str) -> list[Row]:
    rows = []
    for cells in reader:
        given = {
            (key or "").strip(): (value or "").strip() for key, value in cells.items() if not isinstance(value, list)
        }
        if given.get("image") or given.get("mask"):
            rows.append(_row(reader.line_num, given, where))
    return rows


def _row(line: int, cells: dict[str, str], where: str) -> Row:
    subject = with_prefix("sub", cells.get("subject_id"))
    if subject is None:
        raise BadInput(f"{where}, line {line}: no subject_id", "name the subject of every scan")
    session, acquisition = with_prefix("ses", cells.get("session_id")), cells.get("acquisition") or None
    try:
        image, mask = (
            safe_path(cells[name], f"{where}, line {line}") if cells.get(name) else None for name in COLUMNS[:2]
        )
    except BadScan as error:
        return Row(line, None, None, subject, session, acquisition, error.flags[0])
    return Row(line, image, mask, subject, session, acquisition)
