"""Names by content: the digests that say whether two maps, tempi or songs are the same.

Belongs here: canonical JSON, `tempo_id`, `beatmap_id`, `song_hash`, `beatsaver_hash`.
Does not belong here: the identity of audio (`audio_identity`) and of stages (the engine).
Next in the flow: `raw` publishes these as facets.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson

from bgb_assets.modalities.beatmap.formats.objects import KINDS, PLAYED_KINDS, Objects
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys and no spaces, shortest-repr floats; numpy arrays become lists."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)


def json_digest(value: Any) -> str:
    """Return the SHA-256 of `canonical_json(value)`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def tempo_id(tempo: TempoMap) -> str:
    """Return the digest of a canonical tempo map.

    Hashed are the text `tempo/1`, then (beat, bpm) pairs as little-endian float64; a map whose pieces do not
    join (sample regions with gaps) adds the seconds of each piece, as beats and tempi leave them open.
    """
    digest = hashlib.sha256(b"tempo/1")
    digest.update(np.stack([tempo.beats, tempo.bpms], axis=1).astype("<f8").tobytes())
    if not tempo.regular:
        digest.update(b"seconds" + tempo.seconds.astype("<f8").tobytes())
    return digest.hexdigest()


def beatmap_id(objects: Objects) -> str:
    """Return the digest of what a player hits and dodges in one difficulty.

    Hashed are, for each kind in the order of `PLAYED_KINDS`, its name, the number of rows and the rows, sorted
    by all fields, as little-endian float64: the same notes saved as version 2, 3 or 4 are one id. Jump speed
    events and lane rotations, which not every version can hold, are left out.
    """
    digest = hashlib.sha256(b"beatmap/1")
    for kind in PLAYED_KINDS:
        rows = np.stack([objects[kind][name].astype("<f8") for name in KINDS[kind]], axis=1)
        digest.update(f"{kind}:{len(rows)}:".encode())
        digest.update(np.ascontiguousarray(rows).tobytes())
    return digest.hexdigest()


def song_hash(audio_id: str | None, difficulties: Iterable[tuple[str, str, str, str]]) -> str:
    """Return the digest of a song.

    Args:
        audio_id: Identity of its audio, or None.
        difficulties: (characteristic, difficulty, beatmap_id, tempo_id) of each readable difficulty.
    """
    return json_digest([audio_id, sorted(list(difficulty) for difficulty in difficulties)])


def beatsaver_hash(info: bytes, difficulties: Sequence[bytes]) -> str:
    """Return the SHA-1 over the delivered bytes of Info, then of the difficulty files in Info order.

    Only to check a download against what the BeatSaver API says; its server rewrites Info, so that a mismatch
    is a warning at most. Versions 2 and 3; the recipe for version 4 is not known.
    """
    digest = hashlib.sha1(info, usedforsecurity=False)
    for content in difficulties:
        digest.update(content)
    return digest.hexdigest()
