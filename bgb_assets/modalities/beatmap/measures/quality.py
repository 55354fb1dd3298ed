"""Measures of one map: pace, timing against the audio, playability, variety.

Belongs here: which measures a map is given, in one value. Does not belong here: how each is counted (`timing`,
`swings`, `playability`, `variety`, `onset_scores`), the training loss (`model`), two maps side by side (`comparison`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike

from bgb_assets.modalities.beatmap.audio.onset_peaks import NOTES_LEAD_S
from bgb_assets.modalities.beatmap.formats.objects import Columns
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.measures.onset_scores import onset_score
from bgb_assets.modalities.beatmap.measures.playability import collisions, crossovers, vision_blocks
from bgb_assets.modalities.beatmap.measures.swings import count_swings
from bgb_assets.modalities.beatmap.measures.variety import (
    diagonal_share,
    distinct_runs,
    dot_share,
    red_share,
    run_entropy_bits,
)
from bgb_assets.modalities.beatmap.tables.timing import notes_per_second, off_grid, peak_notes_per_second


@dataclass(frozen=True)
class MapQuality:
    """Measures of one map; of what is played, so without fakes. What cannot be told, as of a map without notes, is 0.

    Attributes:
        notes: Notes.
        nps: Notes per second between the first and the last; 0 where all are at one time.
        peak_nps: The most notes in any 4 s, per second.
        swings: Swings of both hands.
        parity_violations: Swings in the direction of the one before, less than 1 s after it.
        parity_resets: The same with more time, so that the hand moves back by itself.
        parity_rate: Violations over swings.
        distinct_4: Share of distinct runs of four notes.
        entropy_4_bits: Entropy of these runs.
        red_share: Share of notes of the left hand.
        dot_share: Share of notes of any direction.
        diagonal_share: Share of notes with a diagonal cut.
        crossovers: Ticks in which the hands are on each other's side.
        vision_blocks: Middle notes that hide one of the other hand; by an unverified threshold.
        collisions: Notes and bombs beyond the first of their cell and tick.
        off_grid_share: Share of notes more than 0.001 beat off the nearest 1/48 beat.
        onset_f1: Note times + 35 ms against the peaks of the audio's onset strength, within 50 ms.
        onset_precision: Share of the note times that meet a peak.
        onset_recall: Share of the peaks that are met.
    """

    notes: int
    nps: float
    peak_nps: float
    swings: int
    parity_violations: int
    parity_resets: int
    parity_rate: float
    distinct_4: float
    entropy_4_bits: float
    red_share: float
    dot_share: float
    diagonal_share: float
    crossovers: int
    vision_blocks: int
    collisions: int
    off_grid_share: float
    onset_f1: float
    onset_precision: float
    onset_recall: float


def measure(objects: Mapping[str, Columns], tempo: TempoMap, onset_peaks_s: ArrayLike) -> MapQuality:
    """Return the measures of a map.

    Args:
        objects: Canonical objects.
        tempo: The map's tempo.
        onset_peaks_s: Peaks of the onset strength of its audio, from `onset_peaks`.
    """
    notes = played(objects["notes"])
    times_s = tempo.time(notes["beat"])
    swings = count_swings(notes, times_s)
    onsets = onset_score(times_s + NOTES_LEAD_S, onset_peaks_s)
    return MapQuality(
        notes=len(times_s),
        nps=notes_per_second(times_s) or 0.0,
        peak_nps=peak_notes_per_second(times_s) or 0.0,
        swings=swings.swings,
        parity_violations=swings.violations,
        parity_resets=swings.resets,
        parity_rate=swings.violations / swings.swings if swings.swings else 0.0,
        distinct_4=distinct_runs(notes),
        entropy_4_bits=run_entropy_bits(notes),
        red_share=red_share(notes),
        dot_share=dot_share(notes),
        diagonal_share=diagonal_share(notes),
        crossovers=crossovers(notes),
        vision_blocks=vision_blocks(notes, times_s),
        collisions=collisions(objects),
        off_grid_share=float(off_grid(notes["beat"]).mean()) if len(times_s) else 0.0,
        onset_f1=onsets.f1,
        onset_precision=onsets.precision,
        onset_recall=onsets.recall,
    )


def nps_error(delivered_nps: float, asked_nps: float) -> float:
    """Return how far a pace is from the one asked for: |delivered - asked| / asked.

    Args:
        delivered_nps: Notes per second of the map.
        asked_nps: Notes per second asked for, above 0.
    """
    return abs(delivered_nps - asked_nps) / asked_nps


def played(notes: Columns) -> Columns:
    """Return the notes without fakes, which nobody has to hit."""
    real = ~notes["fake"]
    return {name: column[real] for name, column in notes.items()}
