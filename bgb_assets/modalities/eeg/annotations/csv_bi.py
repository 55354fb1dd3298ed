"""Reads `.csv_bi` and `.csv` annotation files: comment lines, one line of column names, one row per event.

Both have the same grammar. `.csv_bi` has rows about the whole recording, `.csv` one row per bipolar channel; what has
no row is background. A file with column names and no rows says "no seizure".

Belongs here: the grammar. Does not belong here: labels (`labels`), writing it (`detection.export`).
"""

import re
from collections.abc import Sequence
from pathlib import Path

from bgb_assets.modalities.eeg.annotations.events import Event
from bgb_assets.modalities.eeg.annotations.labels import CSV_ALL_CHANNELS, CSV_COLUMNS, CSV_VERSION
from bgb_assets.modalities.eeg.annotations.text_lines import (
    Line,
    Parsed,
    make_event,
    read_confidence,
    read_lines,
    read_number,
)
from bgb_assets.runtime.errors import BadInput

_COMMENT = re.compile(r"#\s*(?P<key>[A-Za-z_]+)\s*=\s*(?P<value>.*)")
_DURATION = re.compile(r"(?P<number>\S+)\s*(?:s|sec|secs|seconds)?\.?")


def read_csv(path: Path, recording: str, extra_labels: Sequence[tuple[str, bool]] = ()) -> Parsed:
    """Read one `.csv_bi` or `.csv` file.

    Args:
        path: The file.
        recording: Name of the recording without extension; a file that names another is warned about.
        extra_labels: Further labels, and whether each is a seizure.

    Raises:
        BadInput: Another version, another column layout, a row that does not parse, an unknown label, not UTF-8.
    """
    lines = read_lines(path)
    comments = [line for line in lines if line.text.strip().startswith("#")]
    rows = [line for line in lines if not line.text.strip().startswith("#")]
    stated = _read_comments(comments)
    _check_columns(path.name, rows)
    events = tuple(_read_row(line, extra_labels) for line in rows[1:])
    return Parsed(events, _durations(stated), _other_name(stated, recording))


def _read_comments(comments: Sequence[Line]) -> dict[str, tuple[Line, str]]:
    stated: dict[str, tuple[Line, str]] = {}
    for line in comments:
        match = _COMMENT.fullmatch(line.text.strip())
        if match:
            stated.setdefault(match["key"].lower(), (line, match["value"].strip()))
    line_and_version = stated.get("version")
    if line_and_version and line_and_version[1] != CSV_VERSION:
        raise line_and_version[0].bad(line_and_version[1], f"version {CSV_VERSION}", "convert the file to that version")
    return stated


def _check_columns(file: str, rows: Sequence[Line]) -> None:
    expected = f"the line {','.join(CSV_COLUMNS)!r} before any row"
    remedy = "write the column names of the layout, in this order"
    if not rows:
        raise BadInput(f"{file}: got no line of column names, expected {expected}", remedy)
    if tuple(_cells(rows[0])) != CSV_COLUMNS:
        raise rows[0].bad(rows[0].text, expected, remedy)


def _read_row(line: Line, extra_labels: Sequence[tuple[str, bool]]) -> Event:
    cells = _cells(line)
    if len(cells) != len(CSV_COLUMNS):
        raise line.bad(line.text, f"{len(CSV_COLUMNS)} values: {','.join(CSV_COLUMNS)}", "correct that line")
    channel, start, stop, label, confidence = cells
    times = read_number(line, start, "start_time"), read_number(line, stop, "stop_time")
    return make_event(line, times, label, extra_labels, _channels(line, channel), read_confidence(line, confidence))


def _channels(line: Line, cell: str) -> tuple[str, ...]:
    """Return the channel without the blanks that may stand around its hyphen, or nothing for all channels."""
    if not cell:
        raise line.bad(line.text, f"a channel, or {CSV_ALL_CHANNELS} for all", "correct that line")
    return () if cell == CSV_ALL_CHANNELS else (re.sub(r"\s*-\s*", "-", cell),)


def _cells(line: Line) -> list[str]:
    return [cell.strip() for cell in line.text.split(",")]


def _durations(stated: dict[str, tuple[Line, str]]) -> tuple[tuple[Line, float], ...]:
    if "duration" not in stated:
        return ()
    line, value = stated["duration"]
    match = _DURATION.fullmatch(value)
    if not match:
        raise line.bad(value, "a duration such as '1275.00 secs'", "correct that line")
    return ((line, float(read_number(line, match["number"], "duration"))),)


def _other_name(stated: dict[str, tuple[Line, str]], recording: str) -> tuple[str, ...]:
    line, name = stated.get("bname", (None, recording))
    if line is None or name == recording:
        return ()
    return (f"{line.file}, line {line.number}: names the recording {name!r}, but lies beside {recording!r}",)
