"""What a source says about a song (score, origin, own split), and the table of songs.

Belongs here: everything about an upload that is not its content. Does not belong here: difficulties
(`manifest_rows`).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.modalities.contract import Member
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.splits import NONE, split_code

SONGS_FILE = "songs.parquet"
OFFICIAL = "official"

_TEXTS = pa.list_(pa.string())
_COLUMNS: dict[str, pa.DataType] = {
    "upload": pa.string(),
    "song_hash": pa.string(),
    "source": pa.string(),
    "source_id": pa.string(),
    "title": pa.string(),
    "subtitle": pa.string(),
    "artist": pa.string(),
    "mappers": _TEXTS,
    "bpm": pa.float64(),
    "duration_s": pa.float64(),
    "audio_id": pa.string(),
    "upvotes": pa.int32(),
    "downvotes": pa.int32(),
    "score": pa.float32(),
    "ranked": pa.bool_(),
    "curated": pa.bool_(),
    "tags": _TEXTS,
    "uploaded_at": pa.string(),
}
SONGS = pa.schema(_COLUMNS)
_SAID = ("source_id", "upvotes", "downvotes", "ranked", "curated", "tags", "uploaded_at")


def source_of(member: Member) -> str | None:
    """Return the source's name: what brought the upload in."""
    source: str | None = member.labels.get("source")
    return source


def score_of(member: Member) -> float | None:
    """Return the popularity score in [0, 1]; None where the source has none.

    Raises:
        ConfigError: It is no number from 0 to 1.
    """
    score = _said(member, "score")
    if score is None:
        return None
    if not isinstance(score, int | float) or not 0 <= score <= 1:
        raise ConfigError(f"{member.key!r}: expected a score from 0 to 1, got {score!r}; correct the source's facts")
    return float(score)


def is_auto_generated(member: Member) -> bool:
    """Say whether the source says that a program made the maps."""
    return bool(_said(member, "automapper")) or _said(member, "declaredAi") not in (None, "None")


def own_split(member: Member) -> int:
    """Return the split code that the source gives the song itself; -1 for none.

    Raises:
        ConfigError: It is none of train, val and test.
    """
    name = _said(member, "split")
    return NONE if name is None else split_code(name)


def write_songs(out: Path, members: Iterable[Member]) -> int:
    """Write one row per upload and return their number."""
    columns: dict[str, list[Any]] = {name: [] for name in SONGS.names}
    for member in members:
        row = _song_row(member)
        for name, column in columns.items():
            column.append(row.get(name))
    pq.write_table(pa.table(columns, schema=SONGS), out / SONGS_FILE, compression="zstd", version="2.6")
    return len(columns["upload"])


def _song_row(member: Member) -> Mapping[str, Any]:
    song = orjson.loads((member.entries["raw"].directory / "song.json").read_bytes())
    audio = song["audio"] or {}
    stated = {name: song["song"][name] for name in ("title", "subtitle", "artist", "mappers", "bpm")}
    said = {name: _said(member, name) for name in _SAID}
    return {
        **said,
        **stated,
        "upload": member.key,
        "song_hash": song["song_hash"],
        "source": source_of(member),
        "duration_s": audio.get("seconds"),
        "audio_id": audio.get("audio_id"),
        "score": score_of(member),
    }


def _said(member: Member, name: str) -> Any:
    """Return what the source says under a name: first what changes with time, then the facts."""
    popularity: Mapping[str, Any] = member.labels.get("popularity") or {}
    facts: Mapping[str, Any] = member.labels.get("facts") or {}
    return popularity.get(name, facts.get(name))
