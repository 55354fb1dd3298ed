"""What the path of a recording says: its patient, visit and split, in the layouts of the public collections.

Belongs here: TUSZ, BIDS, CHB-MIT, Siena, and folders that follow none of them. Does not belong here: anything inside
a file, and splits by hash (the manifest).
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

SPLITS = {"train": "train", "dev": "val", "val": "val", "eval": "test", "test": "test"}
"""Names of folders that are splits -> our name."""

SAME_PATIENT = {"chb21": "chb01"}
"""Cases of CHB-MIT that are a later recording of another one."""

_TUSZ = re.compile(r"(?P<patient>[a-z0-9]{8})_(?P<visit>s\d{3})_t\d{3}", re.IGNORECASE)
_CHB_MIT = re.compile(r"(?P<patient>chb\d{2})[a-z]?_\d+\+?", re.IGNORECASE)
_SIENA = re.compile(r"(?P<patient>PN\d{2})-[\d.]+", re.IGNORECASE)
_BIDS_PATIENT = re.compile(r"sub-([A-Za-z0-9]+)")
_BIDS_VISIT = re.compile(r"ses-([A-Za-z0-9]+)")


@dataclass(frozen=True)
class Place:
    """What a path says.

    Attributes:
        layout: `"tusz"`, `"bids"`, `"chb-mit"`, `"siena"` or `"loose"`.
        visit: None where the layout has none.
        split: `"train"`, `"val"`, `"test"`, or None where the path gives none.
    """

    layout: str
    patient: str
    visit: str | None
    split: str | None


def place_of(path: str) -> Place:
    """Return what the relative POSIX path of a recording file says.

    In no known layout the patient is the innermost folder that is no split: recordings of one folder are never torn
    apart. Without a folder it is the name of the file up to the first `_`, `-` or blank.
    """
    parts = PurePosixPath(path)
    folders, stem = parts.parts[:-1], parts.stem
    split = next((SPLITS[name.lower()] for name in reversed(folders) if name.lower() in SPLITS), None)
    if match := _TUSZ.fullmatch(stem):
        return Place("tusz", match["patient"].lower(), match["visit"].lower(), split)
    if patient := _entity(_BIDS_PATIENT, folders, stem):
        return Place("bids", f"sub-{patient}", _prefixed("ses-", _entity(_BIDS_VISIT, folders, stem)), split)
    if match := _CHB_MIT.fullmatch(stem):
        patient = match["patient"].lower()
        return Place("chb-mit", SAME_PATIENT.get(patient, patient), None, split)
    if match := _SIENA.fullmatch(stem):
        return Place("siena", match["patient"].upper(), None, split)
    own = [name for name in folders if name.lower() not in SPLITS]
    return Place("loose", own[-1] if own else re.split(r"[_\-\s]", stem, maxsplit=1)[0] or stem, None, split)


def _entity(pattern: re.Pattern[str], folders: tuple[str, ...], stem: str) -> str | None:
    """Return a BIDS entity from the file's name, or else from a folder's."""
    for text in (*stem.split("_"), *reversed(folders)):
        if match := pattern.fullmatch(text):
            return match[1]
    return None


def _prefixed(prefix: str, value: str | None) -> str | None:
    return None if value is None else prefix + value
