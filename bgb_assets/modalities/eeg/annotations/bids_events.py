"""Reads BIDS `events.tsv` files: columns found by name, in any order, `n/a` for what is not said.

Belongs here: the grammar. Does not belong here: labels (`labels`), writing it (`detection.export`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bgb_assets.modalities.eeg.annotations.events import Event
from bgb_assets.modalities.eeg.annotations.labels import BIDS_ALL_CHANNELS, BIDS_COLUMNS, NOT_SAID
from bgb_assets.modalities.eeg.annotations.text_lines import (
    Line,
    Parsed,
    make_event,
    read_confidence,
    read_lines,
    read_number,
)
from bgb_assets.runtime.errors import BadInput

_DURATION_COLUMN = "recordingDuration"


def read_events_tsv(path: Path, extra_labels: Sequence[tuple[str, bool]] = ()) -> Parsed:
    """Read one `events.tsv`; a file with column names and no rows says "no seizure".

    Raises:
        BadInput: A column is missing or there twice, a row has other columns than the first line, a value does not
            parse, an unknown label, not UTF-8.
    """
    lines = read_lines(path)
    columns = _read_columns(path.name, lines)
    rows = [(line, _named(line, columns)) for line in lines[1:]]
    events = tuple(_read_row(line, row, extra_labels) for line, row in rows)
    return Parsed(events, tuple(_durations(rows)))


def _read_columns(file: str, lines: Sequence[Line]) -> list[str]:
    expected = f"tab-separated column names with {', '.join(BIDS_COLUMNS)}, each once"
    if not lines:
        raise BadInput(f"{file}: got an empty file, expected {expected}", "write the column names, or take it away")
    columns = [cell.strip() for cell in lines[0].text.split("\t")]
    if len(set(columns)) != len(columns) or not set(BIDS_COLUMNS) <= set(columns):
        raise lines[0].bad(lines[0].text, expected, "name the columns as in BIDS")
    return columns


def _named(line: Line, columns: Sequence[str]) -> dict[str, str]:
    cells = [cell.strip() for cell in line.text.split("\t")]
    if len(cells) != len(columns):
        raise line.bad(line.text, f"{len(columns)} values between tabs instead of {len(cells)}", "correct that line")
    return dict(zip(columns, cells, strict=True))


def _read_row(line: Line, row: Mapping[str, str], extra_labels: Sequence[tuple[str, bool]]) -> Event:
    onset = read_number(line, row["onset"], "onset")
    duration = read_number(line, row["duration"], "duration")
    return make_event(
        line,
        (onset, onset + duration),
        row["eventType"],
        extra_labels,
        _channels(row.get("channels", NOT_SAID)),
        read_confidence(line, row.get("confidence", NOT_SAID)),
    )


def _channels(cell: str) -> tuple[str, ...]:
    if cell in {NOT_SAID, BIDS_ALL_CHANNELS, ""}:
        return ()
    return tuple(name.strip() for name in cell.split(","))


def _durations(rows: Sequence[tuple[Line, Mapping[str, str]]]) -> list[tuple[Line, float]]:
    stated = [(line, row.get(_DURATION_COLUMN, NOT_SAID)) for line, row in rows]
    return [(line, float(read_number(line, text, _DURATION_COLUMN))) for line, text in stated if text != NOT_SAID]
