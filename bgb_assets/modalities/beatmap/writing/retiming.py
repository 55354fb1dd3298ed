"""Puts objects on the beats of another tempo map, so that each is heard when it was.

Belongs here: moving beats from map to map, and a regular map for one whose pieces do not join.
Does not belong here: shifting a song as a whole (`lead_in`). Next in the flow: `export`.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import Columns, Objects
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap, tempo_from_events
from bgb_assets.modalities.beatmap.writing.lights import Lights

Float64 = NDArray[np.float64]


def same_tempo(first: TempoMap, second: TempoMap) -> bool:
    """Say whether two maps tie the same beats to the same seconds by the same pieces."""
    names = ("beats", "seconds", "bpms")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


def regular_tempo(tempo: TempoMap) -> TempoMap:
    """Return a map whose pieces join and change tempo at the same seconds; where beats lie may differ."""
    order = np.argsort(tempo.seconds, kind="stable")
    seconds, bpms = np.maximum(tempo.seconds[order], 0.0), tempo.bpms[order]
    lengths_beats = np.diff(seconds) * bpms[:-1] / 60.0
    starts = np.concatenate(([seconds[0] * bpms[0] / 60.0], lengths_beats)).cumsum()
    return tempo_from_events(float(bpms[0]), starts, bpms).tempo


def retimed_objects(objects: Objects, before: TempoMap, after: TempoMap) -> Objects:
    """Return objects at the same seconds in another tempo map."""
    return {kind: _retimed_columns(columns, before, after) for kind, columns in objects.items()}


def retimed_lights(lights: Lights, before: TempoMap, after: TempoMap) -> Lights:
    """Return a light show at the same seconds in another tempo map."""
    if same_tempo(before, after):
        return lights
    return replace(
        lights,
        beat=_retimed(lights.beat, before, after),
        boost_beat=_retimed(lights.boost_beat, before, after),
    )


def _retimed_columns(columns: Columns, before: TempoMap, after: TempoMap) -> Columns:
    moved = dict(columns) | {
        name: _retimed(columns[name], before, after) for name in ("beat", "tail_beat") if name in columns
    }
    if "duration_beats" in columns:
        ends = _retimed(columns["beat"] + columns["duration_beats"], before, after)
        moved["duration_beats"] = ends - moved["beat"]
    return moved


def _retimed(beats: Float64, before: TempoMap, after: TempoMap) -> Float64:
    return after.beat(before.time(beats))
