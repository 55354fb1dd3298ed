"""Which files below a folder are one scan, and what each of them is.

Belongs here: folders of BIDS names, tables beside loose files, files of any other name; participants. Does not belong
here: the rules by which a mask finds its image (`pairs`), sources that are no folder, what the files hold (`scans`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from bgb_assets.modalities.contract import Found
from bgb_assets.modalities.mri.pairing.csv_rows import Row, is_scan_table, read_rows
from bgb_assets.modalities.mri.pairing.names import MODALITIES, ScanName, is_nifti, parse_name, without_suffix
from bgb_assets.modalities.mri.pairing.pairs import Images, Method, Pair, ambiguous, pair_mask
from bgb_assets.modalities.mri.pairing.participants import PARTICIPANTS_FILE, participant_row
from bgb_assets.modalities.mri.scans.flags import BadScan, Flag
from bgb_assets.runtime.archives import archive_suffix
from bgb_assets.runtime.errors import BadInput

_UNFINISHED_SUFFIXES = (".part", ".tmp")
_REMEDY = "deliver one scan with its mask, in BIDS names or with a table image,mask,subject_id,session_id,acquisition"


@dataclass(frozen=True)
class Scan:
    """One upload: its files by role, and what is said of it outside the voxels.

    Attributes:
        pair: Paths relative to the upload.
        subject: `sub-<label>`, or the name of a file that says no subject.
        session: `ses-<label>`, or None.
        modality: One of `MODALITIES`, or None where no name says it.
        acquisition_label: As the BIDS entity `acq` or the table has it.
        participant: The subject's row of `participants.tsv`, without empty values.
    """

    pair: Pair
    subject: str
    session: str | None
    modality: str | None
    acquisition_label: str | None
    participant: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """What a record says of the scan; no path, so that a folder's new name changes nothing."""
        return {
            "subject": self.subject,
            "session": self.session,
            "modality": self.modality,
            "acquisition_label": self.acquisition_label,
            "pair_method": self.pair.method,
            "status": self.pair.status,
            "participant": dict(self.participant),
            "flags": [flag.as_json() for flag in self.pair.flags],
        }


def find_scans(root: Path) -> Iterator[Found]:
    """Yield the scans below a folder, in the order of their names; opens tables of scans and nothing else.

    A scan of BIDS names is called `<subject>_<session>` below the folder of its data set; its files are all runs of one
    kind of image (of `MODALITIES` the one that a mask names, else the first), the masks of the visit with their
    sidecars, and `participants.tsv`. A row of a table is called so too. Other files are called as they are, with
    their mask. Archives are uploads of their own. Hidden and unfinished files are passed over, links to folders are
    not followed.
    """
    files = list(_files_below(root, ""))
    tables = [name for name in files if _is_table(root, name)]
    found = [one for name in tables for one in _in_table(root, name, frozenset(files))]
    claimed = {name for one in found for name in one.files}
    groups: dict[str, list[ScanName]] = {}
    for name in (name for name in files if is_nifti(name) and name not in claimed):
        scan = parse_name(name)
        if not scan.is_bids or scan.is_mask or scan.modality:
            groups.setdefault(_group(scan), []).append(scan)
    found += [_found(path, scans, frozenset(files)) for path, scans in groups.items()]
    found += [Found(name, (name,)) for name in files if archive_suffix(name)]
    yield from sorted(found, key=lambda one: one.path)


def only_scan(directory: Path) -> Scan:
    """Return the one scan in the directory of an upload, at whatever depth it lies.

    Raises:
        BadInput: There is none, or more than one.
        BadScan: `ambiguous_pair`, `unsafe_path`.
    """
    files = sorted(_files_below(directory, ""))
    if tables := [name for name in files if _is_table(directory, name)]:
        return _of_table(directory, tables, files)
    names = [parse_name(name) for name in files if is_nifti(name)]
    names = [name for name in names if not name.is_bids or name.is_mask or name.modality]
    visits = sorted({_visit(name) for name in names})
    if len(visits) != 1:
        shown = ", ".join(visits[:5]) + (", ..." if len(visits) > 5 else "") or "none"
        raise BadInput(f"one scan is expected in an upload, got {len(visits)} ({shown})", _REMEDY)
    pair = _pair(directory, names)
    told = [parse_name(path) for path in (pair.image, pair.mask) if path is not None]
    subject = told[0].subject or told[0].stem
    return Scan(
        pair,
        subject,
        told[0].session,
        next((name.modality for name in told if name.modality), None),
        next((name.acquisition_label for name in told if name.acquisition_label), None),
        participant_row(directory, files, subject),
    )


def _files_below(directory: Path, prefix: str) -> Iterator[str]:
    """Yield the relative POSIX paths of all files below a folder, sorted."""
    folders, files = [], []
    with os.scandir(directory) as entries:
        for entry in entries:
            if (
                entry.name.startswith(".")
                or entry.name == "__MACOSX"
                or entry.name.lower().endswith(_UNFINISHED_SUFFIXES)
            ):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file():
                files.append(entry.name)
    yield from (f"{prefix}{name}" for name in sorted(files))
    for name in sorted(folders):
        yield from _files_below(directory / name, f"{prefix}{name}/")


def _is_table(root: Path, name: str) -> bool:
    return name.lower().endswith(".csv") and is_scan_table(root / name)


def _group(scan: ScanName) -> str:
    """Return what the upload of a file is called: its visit, below the folder that counts."""
    folder = PurePosixPath(scan.path).parent
    return str((_data_set(folder) if scan.is_bids else folder) / _visit(scan))


def _visit(scan: ScanName) -> str:
    return "_".join(filter(None, (scan.subject, scan.session))) if scan.is_bids else scan.stem


def _data_set(folder: PurePosixPath) -> PurePosixPath:
    """Return the folder that holds a BIDS data set: what lies above `derivatives` and the folders of subjects."""
    above = []
    for part in folder.parts:
        if part == "derivatives" or part.startswith("sub-"):
            break
        above.append(part)
    return PurePosixPath(*above)


def _found(path: str, scans: Sequence[ScanName], files: frozenset[str]) -> Found:
    masks = [scan for scan in scans if scan.is_mask]
    named = [scan.path for scan in (*_of_one_modality(scans), *masks)]
    sidecars = [sidecar for mask in masks if (sidecar := f"{without_suffix(mask.path)}.json") in files]
    participants = str(PurePosixPath(path).parent / PARTICIPANTS_FILE)
    return Found(path, tuple(sorted({*named, *sidecars, *({participants} & files)})))


def _of_one_modality(scans: Sequence[ScanName]) -> list[ScanName]:
    """Return the images of the kind that a mask names, else of the first kind that there is."""
    images = [scan for scan in scans if not scan.is_mask]
    there = {scan.modality for scan in images}
    named = {scan.modality for scan in scans if scan.is_mask and scan.modality} & there
    chosen = next((kind for kind in MODALITIES if kind in (named or there)), None)
    return [scan for scan in images if scan.modality == chosen]


def _pair(directory: Path, names: Sequence[ScanName]) -> Pair:
    masks = [name.path for name in names if name.is_mask]
    images = [name.path for name in names if not name.is_mask]
    if len(masks) > 1:
        raise ambiguous("the mask of the scan", masks)
    if masks:
        sidecar = directory / f"{without_suffix(masks[0])}.json"
        pair = pair_mask(masks[0], sidecar.read_bytes() if sidecar.is_file() else None, Images(images))
        if pair.image is None and images:
            raise ambiguous(f"the image of {PurePosixPath(masks[0]).name}", images)
        return pair
    images = [name.path for name in _of_one_modality(names)]
    if len(images) > 1:
        raise ambiguous("the image of the scan", images)
    return Pair(images[0], None, "none")


def _in_table(root: Path, table: str, files: frozenset[str]) -> Iterator[Found]:
    """Yield the scans of one table, what is wrong with it or with them left to be said when they are opened."""
    folder = PurePosixPath(table).parent
    try:
        rows = read_rows(root / table)
    except BadInput:
        yield Found(without_suffix(table), (table,))
        return
    by_name: dict[str, set[str]] = {}
    for row in rows:
        there = {str(folder / name) for name in row.files} & files
        by_name.setdefault(str(folder / row.name), {table}).update(there)
    yield from (Found(path, tuple(sorted(named))) for path, named in by_name.items())


def _of_table(directory: Path, tables: Sequence[str], files: Sequence[str]) -> Scan:
    """Return the scan whose files of a table are there."""
    if len(tables) > 1:
        raise BadInput(f"one table of scans is expected in an upload, got {len(tables)}: {', '.join(tables)}", _REMEDY)
    folder = PurePosixPath(tables[0]).parent
    rows = read_rows(directory / tables[0])
    mine = [row for row in rows if any(str(folder / name) in files for name in row.files)]
    if not mine:
        raise _nothing_of_table(tables[0], rows)
    if len(mine) > 1:
        named = [f"line {row.line}: {row.name}" for row in mine]
        raise ambiguous(f"the row of {tables[0]} for these files", named)
    row = mine[0]
    image, mask = (None if name is None else str(folder / name) for name in (row.image, row.mask))
    if missing := [name for name in (image, mask) if name is not None and name not in files]:
        raise BadInput(f"{tables[0]}, line {row.line}: {', '.join(missing)} is not there", "deliver all files it names")
    method: Method = "csv" if image is not None and mask is not None else "none"
    name = parse_name(image or mask or "")
    label = row.acquisition or name.acquisition_label
    return Scan(Pair(image, mask, method), row.subject, row.session, name.modality, label)


def _nothing_of_table(table: str, rows: Sequence[Row]) -> BadInput:
    flags: list[Flag] = [row.flag for row in rows if row.flag is not None]
    if flags:
        return BadScan(*flags)
    return BadInput(f"{table}: none of the files of a row is there", "put the table beside the files it names")
