"""The time-stamped annotation lists of an EDF+ or BDF+ file: when its records were taken, and its texts.

Belongs here: the grammar of the lists, record onsets and the segments they make. Does not belong here: where the
lists lie in a file (`edf`), what a text means (`annotations.edf_texts`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bgb_assets.modalities.eeg.recordings.recording import Text
from bgb_assets.runtime.errors import BadInput

_STAMP = re.compile(rb"\0*([+-]\d+(?:\.\d*)?)\x14")
_LIST = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14([^\0]*)\x14\0+")


@dataclass(frozen=True)
class Run:
    """Data records without a gap: the first, how many, and its onset in seconds after the recording's start."""

    first: int
    records: int
    onset_s: float


def stamp_s(annotation: bytes) -> float | None:
    """Return the time stamp at the head of one record's annotations, in seconds, or None where there is none."""
    match = _STAMP.match(annotation)
    return None if match is None else float(match[1])


def texts_of(annotation: bytes, zero_s: float) -> tuple[list[Text], bool]:
    """Return the texts of one record's annotations, and whether all of it could be read.

    Args:
        zero_s: The time stamp of the recording's start, from which onsets are counted.
    """
    texts: list[Text] = []
    place = 0
    while place < len(annotation) and annotation[place:].strip(b"\0"):
        match = _LIST.match(annotation, place)
        if match is None:
            return texts, False
        onset_s, duration_s = float(match[1]) - zero_s, float(match[2]) if match[2] else None
        texts += [(onset_s, duration_s, text.decode("utf-8", "replace")) for text in match[3].split(b"\x14") if text]
        place = match.end()
    return texts, True


def runs_of(onsets_s: Sequence[float], record_duration_s: float, tolerance_s: float) -> tuple[Run, ...]:
    """Return the runs of records of which each begins where the one before ends, to within a tolerance.

    Raises:
        BadInput: A record begins before the one before ends.
    """
    starts = [0]
    run_onset_s = onsets_s[0]
    for record in range(1, len(onsets_s)):
        expected_s = run_onset_s + (record - starts[-1]) * record_duration_s
        late_s = onsets_s[record] - expected_s
        if late_s < -tolerance_s:
            raise BadInput(
                f"record {record} begins at {onsets_s[record]:g} s, before the one before it ends at {expected_s:g} s",
                "export the recording again or exclude it",
            )
        if late_s > tolerance_s:
            starts.append(record)
            run_onset_s = onsets_s[record]
    return tuple(
        Run(first, last - first, onsets_s[first] - onsets_s[0]) for first, last in pairwise((*starts, len(onsets_s)))
    )
