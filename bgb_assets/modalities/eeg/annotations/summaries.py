"""Reads the text files in which CHB-MIT and Siena list the seizures of all recordings of a patient.

`chbNN-summary.txt` has a block per recording with seconds; `Seizures-list-PNxx.txt` a block per seizure with times of
the clock. A recording that the file does not name is not labelled by it.

Belongs here: both grammars. Does not belong here: which file is beside which recording (`sidecars`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePosixPath

from bgb_assets.modalities.eeg.annotations.events import Event
from bgb_assets.modalities.eeg.annotations.labels import SEIZURE
from bgb_assets.modalities.eeg.annotations.text_lines import Line, Parsed, make_event, read_lines

DAY_S = 86_400

_FILE = re.compile(r"file name\s*:\s*(?P<name>.*)", re.IGNORECASE)
_COUNT = re.compile(r"number of seizures in file\s*:\s*(?P<count>[0-9]+)", re.IGNORECASE)
_SECONDS = re.compile(
    r"seizure(?:\s+[0-9]+)?\s+(?P<end>start|end)\s+time\s*:\s*(?P<seconds>[0-9]+(?:\.[0-9]+)?)\s*(?:seconds|secs|sec|s)?",
    re.IGNORECASE,
)
_SEIZURE_LINE = re.compile(r"seizure(?:\s+[0-9]+)?\s+(?:start|end)\s+time\b.*", re.IGNORECASE)
_CLOCK_LINE = re.compile(
    r"(?:seizure\s+)?(?P<what>registration start|start|end)\s+time\s*:?\s*(?P<clock>.*)",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?P<h>[0-9]\s?[0-9]?)\s*[.:]\s*(?P<m>[0-9]{2})\s*[.:]\s*(?P<s>[0-9]{2})")


@dataclass
class _Block:
    """What is known while the lines of one recording or one seizure are read."""

    name: str = ""
    first: Line | None = None
    stated: int | None = None
    start: tuple[Line, Decimal] | None = None
    events: list[Event] = field(default_factory=list)


def recordings_named(path: Path) -> frozenset[str]:
    """Return the file names of the recordings that a summary or seizure list has blocks of.

    Raises:
        BadInput: Not UTF-8.
    """
    found = (_FILE.fullmatch(line.text.strip()) for line in read_lines(path))
    return frozenset(match["name"].strip() for match in found if match)


def read_summary(path: Path, recording_file: str) -> Parsed | None:
    """Read what `chbNN-summary.txt` says of one recording; None where it does not name it.

    Args:
        path: The file.
        recording_file: File name of the recording, with extension.

    Raises:
        BadInput: A start without an end, a number of seizures that is not the number listed, a line about a seizure
            that does not parse, not UTF-8.
    """
    block: _Block | None = None
    found: _Block | None = None
    for line in read_lines(path):
        named = _FILE.fullmatch(line.text.strip())
        if named:
            _check_complete(block)
            block = _Block(named["name"].strip(), line) if _is_same(named["name"].strip(), recording_file) else None
            if block and found:
                raise line.bad(block.name, "one block for each recording", "take one of the blocks away")
            found = block or found
        elif block:
            _read_summary_line(block, line)
    _check_complete(block)
    return Parsed(tuple(found.events)) if found else None


def _is_same(listed: str, recording_file: str) -> bool:
    """Say whether a listed name is that of the recording, also where it was converted from EDF meanwhile."""
    return listed == recording_file or listed.removesuffix(".edf") == PurePosixPath(recording_file).stem


def _read_summary_line(block: _Block, line: Line) -> None:
    text = line.text.strip()
    count, seconds = _COUNT.fullmatch(text), _SECONDS.fullmatch(text)
    if count:
        block.stated = int(count["count"])
    elif seconds:
        _add_time(block, line, seconds["end"].lower(), Decimal(seconds["seconds"]))
    elif _SEIZURE_LINE.fullmatch(text):
        raise line.bad(text, "a line such as 'Seizure 1 Start Time: 2996 seconds'", "correct that line")


def _add_time(block: _Block, line: Line, end: str, seconds: Decimal) -> None:
    if (end == "start") == (block.start is not None):
        raise line.bad(line.text.strip(), "a start and an end by turns", "correct the block of that recording")
    if end == "start":
        block.start = (line, seconds)
    elif block.start is not None:
        first, onset = block.start
        block.events.append(make_event(first, (onset, seconds), SEIZURE, ()))
        block.start = None


def _check_complete(block: _Block | None) -> None:
    if block is None or block.first is None:
        return
    if block.start is not None:
        raise block.start[0].bad(block.start[0].text.strip(), "an end time after it", "add the line with the end")
    if block.stated is None:
        raise block.first.bad(
            block.name, "a line 'Number of Seizures in File: N' in its block", "add that line, with 0 for none"
        )
    if block.stated != len(block.events):
        raise block.first.bad(
            f"{block.stated} seizures stated, {len(block.events)} listed", "the same number", "correct the block"
        )


def read_seizure_list(path: Path, recording_file: str) -> Parsed | None:
    """Read what `Seizures-list-PNxx.txt` says of one recording; None where it does not name it.

    Onsets are the start of a seizure minus the start of the registration, on a clock that may pass midnight. A file
    name or registration time holds until the next one.

    Raises:
        BadInput: A time that is no single clock time, a block without a whole seizure, a seizure before any
            registration start, not UTF-8.
    """
    reader = _ClockReader(recording_file)
    for line in read_lines(path):
        reader.read(line)
    reader.finish()
    return Parsed(tuple(reader.events)) if reader.events else None


@dataclass
class _ClockReader:
    """Follows the lines of a seizure list: which recording they are about, and since when it ran."""

    recording_file: str
    block: Line | None = None
    registration_s: int | None = None
    start: tuple[Line, int] | None = None
    seizures: int = 0
    events: list[Event] = field(default_factory=list)

    def read(self, line: Line) -> None:
        text = line.text.strip()
        named, timed = _FILE.fullmatch(text), _CLOCK_LINE.fullmatch(text)
        if named:
            self._turn_to(line, named["name"].strip())
        elif timed and self.block:
            self._take(line, timed["what"].lower(), timed["clock"].strip())

    def finish(self) -> None:
        """Refuse a block that is left without a whole seizure: it would pass for one without seizures."""
        self._check_ended()
        if self.block and not self.seizures:
            raise self.block.bad(
                self.block.text.strip(), "start and end times of a seizure in its block", "add or correct those lines"
            )

    def _turn_to(self, line: Line, name: str) -> None:
        self.finish()
        self.registration_s = self.registration_s if self.block else None
        self.block = line if _is_same(name, self.recording_file) else None
        self.seizures = 0

    def _check_ended(self) -> None:
        if self.start is not None:
            line = self.start[0]
            raise line.bad(line.text.strip(), "an end time after it", "add the line with the end")

    def _take(self, line: Line, what: str, clock: str) -> None:
        seconds = _clock_s(line, clock)
        if what == "registration start":
            self.registration_s = seconds
        elif what == "start":
            self._check_ended()
            self.start = (line, seconds)
        else:
            self._add(line, seconds)

    def _add(self, line: Line, end_s: int) -> None:
        if self.start is None or self.registration_s is None:
            raise line.bad(line.text.strip(), "a registration start and a seizure start before it", "add those lines")
        first, start_s = self.start
        onset_s = (start_s - self.registration_s) % DAY_S
        offset_s = onset_s + (end_s - start_s) % DAY_S
        self.events.append(make_event(first, (Decimal(onset_s), Decimal(offset_s)), SEIZURE, ()))
        self.seizures += 1
        self.start = None


def _clock_s(line: Line, text: str) -> int:
    """Return the seconds since midnight; one blank inside an hour (`1 6.49.25`) is overlooked."""
    match = _CLOCK.fullmatch(text)
    if match:
        h, m, s = (int(re.sub(r"\s", "", match[name])) for name in ("h", "m", "s"))
        if h < 24 and m < 60 and s < 60:
            return (h * 60 + m) * 60 + s
    raise line.bad(text, "one time of the clock such as 19.58.36 or 19:58:36", "leave one time in that line")


READERS: Sequence[tuple[re.Pattern[str], Callable[[str], str], Callable[[Path, str], Parsed | None]]] = (
    (re.compile(r"chb[0-9]+"), "{}-summary.txt".format, read_summary),
    (re.compile(r"PN[0-9]+"), "Seizures-list-{}.txt".format, read_seizure_list),
)
"""(how names of recordings begin, name of the file that lists them, its reader)."""
