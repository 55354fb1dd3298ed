"""Measures of one map: pace, timing against onsets, playability.

Belongs here: numbers that say how good a map is, each by its stated definition. Does not belong here: the training
loss (`model`), swings themselves (`swings`). Scorer of onsets: one-to-one matches within a tolerance, as
`mir_eval.onset.f_measure`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bgb_assets.modalities.beatmap.objects import Columns
from bgb_assets.modalities.beatmap.swings import count_swings
from bgb_assets.modalities.beatmap.tempo import TempoMap
from bgb_assets.modalities.beatmap.timing import notes_per_second

Float64 = NDArray[np.float64]

ONSET_TOLERANCE_S = 0.05
MERGE_S = 0.01
"""Note times this close are one onset."""
NOTES_LEAD_S = 0.035
"""People place notes this far before the peaks of the onset strength."""


@dataclass(frozen=True)
class OnsetScore:
    """How well times agree with reference times."""

    f1: float
    precision: float
    recall: float


@dataclass(frozen=True)
class MapQuality:
    """Measures of one map.

    Attributes:
        notes: Notes that are played.
        nps: Notes per second between the first and the last.
        swings: Swings of both hands.
        parity_rate: Swings in the direction of the one before, over all swings.
        collisions: Notes and bombs beyond the first of their cell and time.
        onset_f1: Note times + 35 ms against the peaks of the audio's onset strength, within 50 ms.
        distinct_4: Share of distinct runs of four notes.
    """

    notes: int
    nps: float
    swings: int
    parity_rate: float
    collisions: int
    onset_f1: float
    distinct_4: float


def measure(objects: Mapping[str, Columns], tempo: TempoMap, onset_peaks_s: ArrayLike) -> MapQuality:
    """Return the measures of a map.

    Args:
        objects: Canonical objects.
        tempo: The map's tempo.
        onset_peaks_s: Peaks of the onset strength of its audio.
    """
    notes = objects["notes"]
    times_s = tempo.time(notes["beat"])
    swings = count_swings(notes, times_s)
    return MapQuality(
        notes=len(times_s),
        nps=notes_per_second(times_s) or 0.0,
        swings=swings.swings,
        parity_rate=swings.violations / swings.swings if swings.swings else 0.0,
        collisions=collisions(objects),
        onset_f1=onset_score(times_s + NOTES_LEAD_S, onset_peaks_s).f1,
        distinct_4=distinct_runs(notes),
    )


def onset_score(times_s: ArrayLike, reference_s: ArrayLike, tolerance_s: float = ONSET_TOLERANCE_S) -> OnsetScore:
    """Return F1, precision and recall of times, merged within 10 ms, against reference times; one-to-one."""
    found, wanted = merged(times_s), merged(reference_s)
    if not len(found) or not len(wanted):
        return OnsetScore(0.0, 0.0, 0.0)
    hits = _matches(found, wanted, tolerance_s)
    precision, recall = hits / len(found), hits / len(wanted)
    return OnsetScore(2.0 * hits / (len(found) + len(wanted)), precision, recall)


def merged(times_s: ArrayLike) -> Float64:
    """Return sorted times without those at most 10 ms after one that is kept."""
    kept: list[float] = []
    for time in np.sort(np.asarray(times_s, np.float64)).tolist():
        if not kept or time - kept[-1] > MERGE_S:
            kept.append(time)
    return np.array(kept)


def collisions(objects: Mapping[str, Columns]) -> int:
    """Return how many notes and bombs share cell and beat with another one before them."""
    rows = [
        np.stack([objects[kind][name].astype(np.float64) for name in ("beat", "x", "y")], axis=1)
        for kind in ("notes", "bombs")
    ]
    every = np.concatenate(rows)
    return len(every) - len(np.unique(every, axis=0)) if len(every) else 0


def distinct_runs(notes: Columns, length: int = 4) -> float:
    """Return the share of distinct runs of (color, x, y, cut), notes sorted by (beat, color, x, y, cut)."""
    names = ("color", "x", "y", "cut_direction")
    order = np.lexsort([notes[name] for name in (*reversed(names), "beat")])
    rows = np.stack([notes[name][order] for name in names], axis=1)
    if len(rows) < length:
        return 0.0
    runs = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0).reshape(len(rows) - length + 1, -1)
    return len(np.unique(runs, axis=0)) / len(runs)


def _matches(found: Float64, wanted: Float64, tolerance_s: float) -> int:
    """Return the most pairs; on a line, matching each time with the earliest free one in reach is a maximum."""
    hits, place = 0, 0
    for time in found.tolist():
        while place < len(wanted) and wanted[place] < time - tolerance_s:
            place += 1
        if place < len(wanted) and wanted[place] <= time + tolerance_s:
            hits, place = hits + 1, place + 1
    return hits
