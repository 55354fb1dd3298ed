"""What differs between two entries of one song, in the words of a mapper: `bgb why` shows it beside the digests.

Belongs here: comparing what stage raw wrote. Does not belong here: which part of an identity differs
(`engine.explain`).
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bgb_assets.modalities.beatmap.formats.objects import KINDS

SHOWN = 3
"""So many changes of a kind are named; of the others the number is said."""

_NOUNS = {"notes": "note", "bombs": "bomb", "walls": "wall", "arcs": "arc", "chains": "chain"}
_NOUNS |= {"njs": "jump speed event", "rotations": "rotation"}


def explain(stage: str, before: Path, after: Path, facets: Collection[str]) -> list[str]:
    """Return sentences about how two entries of stage raw differ; none for other stages.

    Args:
        stage: The stage of both entries.
        before: The earlier entry's files.
        after: The later one's.
        facets: The facets that differ and are asked about.
    """
    if stage != "raw":
        return []
    old, new = (_read(folder / "song.json") for folder in (before, after))
    lines: list[str] = []
    if "tempo" in facets:
        lines += _tempo_lines(before, after, old, new)
    if "objects" in facets:
        lines += _object_lines(before, after, old, new)
    if "meta" in facets:
        lines += [f"{name}: {old['song'][name]!r} -> {new['song'][name]!r}" for name in _differing(old, new, "song")]
    if "audio" in facets and old["audio"] and new["audio"]:
        lines += [f"audio {name}: {old['audio'][name]} -> {new['audio'][name]}" for name in _heard(old, new)]
    return lines


def _tempo_lines(before: Path, after: Path, old: Any, new: Any) -> list[str]:
    maps = [_read(folder / "tempo.json")["tempo_maps"] for folder in (before, after)]
    lines = []
    for name, (was, now) in _common(old, new):
        if was.get("tempo_id") != now.get("tempo_id") and was.get("tempo_id") and now.get("tempo_id"):
            events = [
                dict(zip(held["beats"], held["bpms"], strict=True))
                for held in (maps[0][was["tempo_id"]], maps[1][now["tempo_id"]])
            ]
            lines += [f"{name}: {line}" for line in _few(list(_events(*events)), "BPM events")]
    return lines


def _events(old: Mapping[float, float], new: Mapping[float, float]) -> Iterator[str]:
    for beat in sorted({*old, *new}):
        was, now = old.get(beat), new.get(beat)
        if was != now:
            change = "added" if was is None else "removed" if now is None else "changed"
            speeds = " -> ".join(f"{bpm:g} BPM" for bpm in (was, now) if bpm is not None)
            yield f"BPM event at beat {beat:g} {change} ({speeds})"


def _object_lines(before: Path, after: Path, old: Any, new: Any) -> list[str]:
    lines = [f"{name}: added" for name in sorted(set(_rows(new)) - set(_rows(old)))]
    lines += [f"{name}: removed" for name in sorted(set(_rows(old)) - set(_rows(new)))]
    for name, (was, now) in _common(old, new):
        if was["status"] != now["status"]:
            lines.append(f"{name}: {was['status']} -> {now['status']}")
        elif was.get("beatmap_id") != now.get("beatmap_id"):
            places = (before / was["entry_file"], after / now["entry_file"])
            held = [_read(place)["objects"] for place in places]
            lines += [f"{name}: {line}" for kind in KINDS for line in _moved(kind, held[0][kind], held[1][kind])]
    return lines


def _moved(kind: str, old: Mapping[str, list[Any]], new: Mapping[str, list[Any]]) -> list[str]:
    """Return which objects of a kind are gone and which are new, first by beat."""
    rows = [set(zip(*(columns[name] for name in KINDS[kind]), strict=True)) for columns in (old, new)]
    lines: list[str] = []
    for word, found in (("gone", rows[0] - rows[1]), ("new", rows[1] - rows[0])):
        beats = np.sort([row[0] for row in found])
        if len(beats):
            shown = ", ".join(f"{beat:g}" for beat in beats[:SHOWN]) + (", ..." if len(beats) > SHOWN else "")
            noun = _NOUNS[kind] if len(beats) == 1 else f"{_NOUNS[kind]}s"
            lines.append(f"{len(beats)} {noun} {word}, at beat {shown}")
    return lines


def _few(lines: list[str], what: str) -> list[str]:
    rest = len(lines) - SHOWN
    return lines if rest <= 0 else [*lines[:SHOWN], f"and {rest} more {what}"]


def _rows(song: Any) -> dict[str, Any]:
    return {f"{row['characteristic']} {row['difficulty']}": row for row in song["difficulties"]}


def _common(old: Any, new: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    before, after = _rows(old), _rows(new)
    return ((name, (before[name], after[name])) for name in before if name in after)


def _differing(old: Any, new: Any, part: str) -> list[str]:
    return [name for name in sorted(new[part]) if old[part].get(name) != new[part][name]]


def _heard(old: Any, new: Any) -> list[str]:
    return [name for name in _differing(old, new, "audio") if name != "audio_id"]


def _read(path: Path) -> Any:
    return orjson.loads(path.read_bytes())
