"""Reads annotation files as numbered lines, and numbers and times in them, with errors that name the place.

Numbers are read as decimals: an end that is written as start plus length is then the very same number as the end that
another file writes out, and falls on the same sample.

Belongs here: what all annotation files share. Does not belong here: any one layout (`csv_bi`, `bids_events`, ...).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bgb_assets.modalities.eeg.annotations.events import Event
from bgb_assets.modalities.eeg.annotations.labels import BACKGROUND, LABEL_IDS, NOT_SAID, label_of
from bgb_assets.runtime.errors import BadInput

MAX_FILE_BYTES = 64 << 20
"""A day of events on every channel takes a tenth of it."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True)
class Line:
    """One line of a file.

    Attributes:
        file: How messages name the file.
        number: From 1.
        text: Without its line end; blanks around it stay, as columns may be empty.
    """

    file: str
    number: int
    text: str

    def bad(self, got: str, expected: str, remedy: str) -> BadInput:
        """Return the error that says what this line has and what it should have."""
        return BadInput(f"{self.file}, line {self.number}: got {got!r}, expected {expected}", remedy)


@dataclass(frozen=True)
class Parsed:
    """What one file says.

    Attributes:
        events: In the order of the file.
        durations_s: (line, seconds) wherever the file says how long the recording is.
        warnings: Sentences a person should read.
    """

    events: tuple[Event, ...]
    durations_s: tuple[tuple[Line, float], ...] = ()
    warnings: tuple[str, ...] = ()


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a UTF-8 file, with or without byte order mark, whatever its line ends; blank ones left out.

    Raises:
        BadInput: Not UTF-8, or far too large.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise BadInput(
            f"{path.name}: got {size} bytes, expected at most {MAX_FILE_BYTES}", "deliver the annotation file itself"
        )
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{path.name}, line {line}: got the byte 0x{content[error.start]:02x}, expected UTF-8 text",
            "save the file as UTF-8",
        ) from error
    rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [Line(path.name, number, row) for number, row in enumerate(rows, start=1) if row.strip()]


def read_number(line: Line, text: str, name: str) -> Decimal:
    """Return a number written in digits.

    Raises:
        BadInput: It is none; `inf`, `nan` and digits of other scripts are none.
    """
    if not _NUMBER.fullmatch(text):
        raise line.bad(text, f"a number in the column {name!r}", "correct that line")
    return Decimal(text)


def read_confidence(line: Line, text: str) -> float | None:
    """Return a confidence of 0 to 1, or None for `n/a`.

    Raises:
        BadInput: It is neither.
    """
    if text == NOT_SAID:
        return None
    value = float(read_number(line, text, "confidence"))
    if not 0 <= value <= 1:
        raise line.bad(text, "a confidence between 0 and 1", "divide percentages by 100")
    return value


def make_event(
    line: Line,
    times: tuple[Decimal, Decimal],
    label_text: str,
    extra_labels: Sequence[tuple[str, bool]],
    channels: tuple[str, ...] = (),
    confidence: float | None = None,
) -> Event:
    """Return the event of one line.

    Args:
        line: Where it stands.
        times: Onset and offset in seconds.
        label_text: Must be a known label.
        extra_labels: Further labels (see `labels.label_of`).
        channels: Empty for all.
        confidence: None where the file does not say.

    Raises:
        BadInput: Nobody said what the label means; a seizure or background stops before it starts. Other events that do
            (impedance checks in published sets) say nothing about seizures: they stay as written.
    """
    onset, offset = times
    label = label_of(label_text, extra_labels)
    if label is None:
        raise line.bad(
            label_text,
            "a known label (bckg, seiz, sz, sz_..., fnsz, gnsz, ..., nesz, impd)",
            "correct it, or say in the parameter extra_labels whether it is a seizure",
        )
    if offset < onset and (label.is_seizure or label.label_id == LABEL_IDS[BACKGROUND]):
        raise line.bad(f"{onset} to {offset}", "an event that stops at or after its start", "correct that line")
    onset_s, offset_s = float(onset), float(offset)
    if not math.isfinite(offset_s - onset_s):
        raise line.bad(f"{onset} to {offset}", "times in seconds", "correct that line")
    return Event(onset_s, offset_s, label.text, label.label_id, label.is_seizure, channels, confidence, line.number)
