"""How fast a map becomes note tables: columns against lists of dicts, and where raw and notes spend their time.

Run: `python -m bgb_assets_tests.benchmarks.bench_beatmap_maps [--small] [--notes 3000] [--repeats 15]`.
Variants take turns; a ratio is the median of the ratios of one turn, larger is faster for us.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap import notes, raw
from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.tables.note_tables import TableBuilder, object_tables
from bgb_assets.modalities.beatmap.tables.schemas import TABLES
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show

NAMES = {"song_hash": "s" * 64, "beatmap_id": "b" * 64, "characteristic": "Standard", "difficulty": "ExpertPlus"}


def write_map(folder: Path, count: int) -> Path:
    """Write a version 3 map with a tempo change, as an editor does."""
    rng = np.random.default_rng(11)
    beats = np.sort(rng.integers(0, count * 12, count) / 48).tolist()
    cells = rng.integers(0, (4, 3, 2, 9), (count, 4)).tolist()
    rows = [{"b": b, "x": x, "y": y, "c": c, "d": d, "a": 0} for b, (x, y, c, d) in zip(beats, cells, strict=True)]
    lights = [{"b": beat, "et": 1, "i": 3, "f": 1} for beat in beats * 5]
    difficulty = {
        "version": "3.3.0",
        "colorNotes": rows,
        "basicBeatmapEvents": lights,
        "bpmEvents": [{"b": 64, "m": 90}],
    }
    entry = {"_difficulty": "ExpertPlus", "_difficultyRank": 9, "_beatmapFilename": "a.dat"}
    group = {"_beatmapCharacteristicName": "Standard", "_difficultyBeatmaps": [entry]}
    info = {"_version": "2.1.0", "_beatsPerMinute": 180, "_difficultyBeatmapSets": [group]}
    folder.mkdir()
    (folder / "Info.dat").write_text(json.dumps(info))
    (folder / "a.dat").write_text(json.dumps(difficulty))
    return folder


def table_by_dicts(columns: Mapping[str, NDArray[Any]]) -> pa.Table:
    """Make the table of notes from a list of dicts."""
    names = list(columns)
    rows = [
        NAMES | dict(zip(names, row, strict=True))
        for row in zip(*(column.tolist() for column in columns.values()), strict=True)
    ]
    return pa.Table.from_pylist(rows, TABLES["notes"])


def table_by_columns(columns: Mapping[str, NDArray[Any]]) -> pa.Table:
    """Make the same table from the columns, values checked against the range of their type."""
    builder = TableBuilder()
    builder.add(NAMES, {"notes": columns})
    return builder.arrow()["notes"]


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--notes", type=int, default=3_000)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    count, repeats = (50, 1) if options.small else (options.notes, options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        upload = write_map(work / "upload", count)
        (item,) = read_song(upload).readable
        columns = object_tables(item.parsed.objects, item.tempo)["notes"]
        if not table_by_dicts(columns).equals(table_by_columns(columns)):
            raise SystemExit("the two tables differ")
        for name in ("raw", "notes"):
            (work / name).mkdir()
        arms = {
            "a list of dicts": lambda: table_by_dicts(columns),
            "columns": lambda: table_by_columns(columns),
            "stage raw": lambda: raw.run({"upload": upload}, None, work / "raw"),
            "stage notes": lambda: notes.run({"raw": work / "raw"}, None, work / "notes"),
        }
        taken = in_turns(arms, repeats)
    show(f"table of {count} notes, and the stages", taken)
    gate(
        29,
        f"{count} notes of one song: list of dicts / columns",
        ratio(taken["a list of dicts"], taken["columns"]),
        at_least=3,
    )


if __name__ == "__main__":
    main()
