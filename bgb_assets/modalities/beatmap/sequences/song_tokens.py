"""Token sequences of the songs in one shard, from their note tables.

Songs are read one by one and encoded some hundred thousand objects at a time: whole columns for speed, a bound for
memory. Belongs here: tables to sequences with what a crop needs to know of each bar. Does not belong here: files of
shards (`tokens`, next in the flow) and the encoding (`tokenizer`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import KINDS, PLAYED_KINDS
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.events import Sequences, note_starts
from bgb_assets.modalities.beatmap.sequences.token_params import TokenParams
from bgb_assets.modalities.beatmap.sequences.tokenizer import encode
from bgb_assets.runtime.errors import ContractError
from bgb_assets.storage.columns import as_codes, as_numpy

Column = NDArray[Any]

_OBJECTS_PER_BLOCK = 200_000
_NAMES = ("characteristic", "difficulty", "beatmap_id")


class Name(NamedTuple):
    """Which rows of a song's tables are one difficulty."""

    characteristic: str
    difficulty: str
    beatmap_id: str


@dataclass(frozen=True)
class Wanted:
    """One difficulty to encode.

    Attributes:
        name: Its rows.
        header: BOS and the conditions.
        bars: Its BARs, or `tokenizer.UP_TO_LAST_OBJECT`.
    """

    name: Name
    header: tuple[int, ...]
    bars: int


@dataclass
class EncodedSongs:
    """The arrays of a shard, one item per difficulty.

    Attributes:
        tokens: int16 sequence.
        bar_starts: int32 (bars,), where each BAR stands in the sequence.
        bar_notes: int32 (bars,), notes of each bar.
        bar_seconds: float32 (bars + 1,), when each bar begins and the last ends.
        dropped: Reason -> objects not encoded.
    """

    tokens: list[Column] = field(default_factory=list)
    bar_starts: list[Column] = field(default_factory=list)
    bar_notes: list[Column] = field(default_factory=list)
    bar_seconds: list[Column] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def encode_songs(songs: Iterable[tuple[Path, Sequence[Wanted]]], params: TokenParams) -> EncodedSongs:
    """Encode difficulties of songs.

    Args:
        songs: The directory of each song's notes entry, and its wanted difficulties.
        params: What to encode.

    Returns:
        One item per difficulty, in the order of songs and difficulties.
    """
    encoded = EncodedSongs()
    for block in _blocks(songs, params):
        _encode_block(block, params, encoded)
    return encoded


@dataclass
class _Block:
    """Tables of a few songs; `owners` point into `wanted`."""

    wanted: list[Wanted] = field(default_factory=list)
    tempos: list[TempoMap] = field(default_factory=list)
    tables: dict[str, list[Mapping[str, Column]]] = field(default_factory=dict)
    owners: dict[str, list[Column]] = field(default_factory=dict)
    rows: int = 0

    def add(self, directory: Path, wanted: Sequence[Wanted], kinds: Sequence[str]) -> None:
        places = {one.name: len(self.wanted) + number for number, one in enumerate(wanted)}
        self.wanted += wanted
        self.tempos += _tempos(directory, wanted)
        for kind in kinds:
            columns = tuple(KINDS[kind])
            found = _read(directory / f"{kind}.parquet", columns, places)
            if found is not None:
                self.tables.setdefault(kind, []).append(found[0])
                self.owners.setdefault(kind, []).append(found[1])
                self.rows += len(found[1])

    def joined(self) -> tuple[dict[str, dict[str, Column]], dict[str, Column]]:
        tables = {kind: _concatenate(self.tables.get(kind, []), kind) for kind in PLAYED_KINDS}
        owners = {kind: np.concatenate([np.zeros(0, np.int64), *self.owners.get(kind, [])]) for kind in PLAYED_KINDS}
        return tables, owners


def _blocks(songs: Iterable[tuple[Path, Sequence[Wanted]]], params: TokenParams) -> Iterator[_Block]:
    block = _Block()
    for directory, wanted in songs:
        block.add(directory, wanted, params.kinds)
        if block.rows >= _OBJECTS_PER_BLOCK:
            yield block
            block = _Block()
    if block.wanted:
        yield block


def _encode_block(block: _Block, params: TokenParams, encoded: EncodedSongs) -> None:
    tables, owners = block.joined()
    headers = [one.header for one in block.wanted]
    bars = [one.bars for one in block.wanted]
    made = encode(tables, owners, headers, bars, params.kinds, params.fine)
    encoded.dropped.update({reason: int(counts.sum()) for reason, counts in made.dropped.items()})
    notes = _notes_of_bars(made.sequences)
    for number, tempo in enumerate(block.tempos):
        whole = slice(*made.sequences.offsets[number : number + 2])
        of_bars = slice(*made.sequences.bar_offsets[number : number + 2])
        lines = np.arange(of_bars.stop - of_bars.start + 1) * v.BEATS_PER_BAR
        encoded.tokens.append(made.sequences.ids[whole].copy())
        encoded.bar_starts.append(made.sequences.bar_starts[of_bars].astype(np.int32))
        encoded.bar_notes.append(notes[of_bars].astype(np.int32))
        encoded.bar_seconds.append(tempo.time(lines).astype(np.float32))


def _notes_of_bars(sequences: Sequences) -> v.Ids:
    """Return how many notes each bar of each sequence has."""
    before = np.concatenate(([0], np.cumsum(note_starts(sequences.ids))))
    bars = np.diff(sequences.bar_offsets)
    starts = np.repeat(sequences.offsets[:-1], bars) + sequences.bar_starts
    return np.asarray(np.diff(before[np.append(starts, len(sequences.ids))]))


def _tempos(directory: Path, wanted: Sequence[Wanted]) -> list[TempoMap]:
    places = {one.name: number for number, one in enumerate(wanted)}
    found = _read(directory / "tempo.parquet", ("beat", "time_s", "bpm"), places)
    if found is None:
        raise ContractError(f"the notes of a song must hold tempo.parquet, there is none in {directory}")
    columns, owners = found
    rows = [np.flatnonzero(owners == number) for number in range(len(wanted))]
    return [TempoMap(columns["beat"][row], columns["time_s"][row], columns["bpm"][row]) for row in rows]


def _read(path: Path, columns: Sequence[str], places: Mapping[Name, int]) -> tuple[Mapping[str, Column], Column] | None:
    """Return the rows of the difficulties in `places` and the place of each; None where there is no such table."""
    if not path.is_file():
        return None
    with pq.ParquetFile(path) as file:
        present = [name for name in columns if name in file.schema_arrow.names]
        table = file.read(columns=[*_NAMES, *present], use_threads=False)
    owners = _owners(table, places)
    kept = owners >= 0
    return {name: as_numpy(table.column(name))[kept] for name in present}, owners[kept]


def _owners(table: pa.Table, places: Mapping[Name, int]) -> Column:
    """Return the place of each row's difficulty, -1 for those that are not wanted."""
    coded = [as_codes(table.column(name)) for name in _NAMES]
    combined = np.zeros(table.num_rows, np.int64)
    for column in coded:
        combined = combined * (len(column.values) + 1) + column.codes
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    names = [Name(*(column.values[column.codes[row]] for column in coded)) for row in first]
    found = np.array([places.get(name, -1) for name in names], np.int64)
    return found[inverse] if len(found) else np.zeros(0, np.int64)


def _concatenate(pieces: Sequence[Mapping[str, Column]], kind: str) -> dict[str, Column]:
    if not pieces:
        return {name: np.zeros(0) for name in KINDS[kind]}
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
