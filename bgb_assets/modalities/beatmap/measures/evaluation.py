"""Every difficulty of a map by every measure; what cannot be told is missing with its reason, never 0.

Belongs here: which measures need what (audio, a reference, a training manifest, a pace, seams), and the reasons where
it is not there. Does not belong here: the measures (`quality`, `seams`, `variety`), opening maps (`opening`), printing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.difficulty import OK, Difficulty, Unusable
from bgb_assets.modalities.beatmap.formats.song import Song
from bgb_assets.modalities.beatmap.measures.onset_scores import NARROW_TOLERANCE_S, OnsetScore, onset_score
from bgb_assets.modalities.beatmap.measures.quality import MapQuality, measure, nps_error, played
from bgb_assets.modalities.beatmap.measures.seams import count_at_seams
from bgb_assets.modalities.beatmap.measures.variety import RUN_LENGTH, Counts, note_histogram, total_variation

MEASURES: Mapping[str, str] = {
    "notes": "notes that are played",
    "nps": "notes per second, first to last",
    "nps_error": "|nps - asked| / asked",
    "peak_nps": "most notes in 4 s, per second",
    "onset_f1": "note times against the reference's, within 50 ms",
    "onset_precision": "share of the notes' times that the reference has",
    "onset_recall": "share of the reference's times that the notes have",
    "onset_f1_25ms": "the same within 25 ms",
    "onset_precision_25ms": "",
    "onset_recall_25ms": "",
    "audio_onset_f1": "note times + 35 ms against the onsets of the audio, within 50 ms",
    "audio_onset_precision": "share of the notes' times that are onsets",
    "audio_onset_recall": "share of the onsets that have a note",
    "swings": "swings of both hands",
    "parity_violations": "swings in the direction of the one before, in less than 1 s",
    "parity_resets": "the same with more time",
    "parity_rate": "violations per swing",
    "seam_ratio": "violations per swing within 1 beat of a window's seam, over those elsewhere",
    "distinct_4": "share of distinct runs of 4 notes",
    "entropy_4_bits": "their entropy",
    "total_variation": "distance of (color, x, y, cut) to the training maps, 0 to 1",
    "red_share": "notes of the left hand",
    "dot_share": "notes of any direction",
    "diagonal_share": "notes with a diagonal cut",
    "crossovers": "ticks with both hands on the other's side",
    "vision_blocks": "middle notes that hide one of the other hand within 0.35 s (unverified threshold)",
    "collisions": "notes and bombs beyond the first of a cell and tick",
    "off_grid_share": "notes off the grid of 1/48 beat",
}
"""Name -> what it is, in the order in which they are shown; the names are stable."""

_SHARES = ("parity_rate", "red_share", "dot_share", "diagonal_share", "off_grid_share")
_SCORES = ("f1", "precision", "recall")


@dataclass(frozen=True)
class Missing:
    """A measure that cannot be told, and why."""

    reason: str


Measured = float | int | Missing


@dataclass(frozen=True)
class Against:
    """What a map is held against; each may be missing.

    Attributes:
        onset_peaks_s: Peaks of the onset strength of its audio.
        reference: Another map of the same song.
        training: Counts of the training maps' notes, from `training_notes`.
        asked_nps: Notes per second that were asked for, above 0.
        seam_beats: Where the windows of its generation meet.
    """

    onset_peaks_s: NDArray[np.float64] | Missing = field(default_factory=lambda: Missing("no audio"))
    reference: Song | Missing = field(default_factory=lambda: Missing("no reference"))
    training: Counts | Missing = field(default_factory=lambda: Missing("no training manifest"))
    asked_nps: float | Missing = field(default_factory=lambda: Missing("no pace was asked for"))
    seam_beats: Sequence[float] | Missing = field(default_factory=lambda: Missing("no seams are known"))


@dataclass(frozen=True)
class Scores:
    """The measures of one difficulty.

    Attributes:
        characteristic: With `difficulty`, its name.
        difficulty: See above.
        status: `ok`, or why it cannot be read.
        reason: What is wrong, where it cannot be read.
        measures: Those of `MEASURES`, all of them; empty where it cannot be read.
    """

    characteristic: str
    difficulty: str
    status: str
    reason: str | None
    measures: Mapping[str, Measured]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value: `measures` with null for what is missing, `missing` with the reasons."""
        missing = {name: value.reason for name, value in self.measures.items() if isinstance(value, Missing)}
        return {
            "characteristic": self.characteristic,
            "difficulty": self.difficulty,
            "status": self.status,
            "reason": self.reason,
            "measures": {name: None if name in missing else value for name, value in self.measures.items()},
            "missing": missing,
        }


def evaluate(song: Song, against: Against) -> tuple[Scores, ...]:
    """Return the measures of every difficulty that the map's Info names, those that cannot be read with the reason."""
    return tuple(_scores(one, against) for one in song.difficulties)


def _scores(one: Difficulty | Unusable, against: Against) -> Scores:
    info = one.info
    if isinstance(one, Unusable):
        return Scores(info.characteristic, info.difficulty, one.status, one.reason, {})
    measured = dict(_measured(one, against))
    return Scores(info.characteristic, info.difficulty, OK, None, {name: measured[name] for name in MEASURES})


def _measured(one: Difficulty, against: Against) -> Iterator[tuple[str, Measured]]:
    notes = played(one.parsed.objects["notes"])
    times_s = one.tempo.time(notes["beat"])
    peaks = against.onset_peaks_s
    quality = measure(one.parsed.objects, one.tempo, () if isinstance(peaks, Missing) else peaks)
    undefined = dict(_undefined(quality))
    for name, value in asdict(quality).items():
        if name in MEASURES and not name.startswith("onset_"):
            yield name, undefined.get(name, value)
    yield from _audio_onsets(quality, peaks)
    yield from _reference_onsets(one, times_s, against.reference)
    yield "nps_error", _nps_error(undefined.get("nps", quality.nps), against.asked_nps)
    yield "seam_ratio", _seam_ratio(one, against.seam_beats)
    yield "total_variation", _total_variation(note_histogram(notes), against.training)


def _undefined(quality: MapQuality) -> Iterator[tuple[str, Missing]]:
    """Yield the measures that divide by nothing."""
    if not quality.notes:
        yield from ((name, Missing("no notes")) for name in ("nps", "peak_nps", *_SHARES))
    elif not quality.nps:
        yield "nps", Missing("all notes are at one time")
    if quality.notes < RUN_LENGTH:
        yield from ((name, Missing(f"fewer than {RUN_LENGTH} notes")) for name in ("distinct_4", "entropy_4_bits"))


def _audio_onsets(quality: MapQuality, peaks: NDArray[np.float64] | Missing) -> Iterator[tuple[str, Measured]]:
    if not isinstance(peaks, Missing) and not len(peaks):
        peaks = Missing("the audio has no onsets")
    score = OnsetScore(quality.onset_f1, quality.onset_precision, quality.onset_recall)
    yield from _named("audio_onset_{}", score, quality.notes, peaks if isinstance(peaks, Missing) else None)


def _reference_onsets(
    one: Difficulty, times_s: NDArray[np.float64], reference: Song | Missing
) -> Iterator[tuple[str, Measured]]:
    wanted = _reference_times(one, reference)
    missing = wanted if isinstance(wanted, Missing) else None
    held = np.zeros(0) if isinstance(wanted, Missing) else wanted
    yield from _named("onset_{}", onset_score(times_s, held), len(times_s), missing)
    yield from _named("onset_{}_25ms", onset_score(times_s, held, NARROW_TOLERANCE_S), len(times_s), missing)


def _named(pattern: str, score: OnsetScore, notes: int, missing: Missing | None) -> Iterator[tuple[str, Measured]]:
    """Yield the three shares of a score; without notes there is no precision, though nothing was met."""
    for name in _SCORES:
        value: Measured = getattr(score, name)
        if missing is not None:
            value = missing
        elif name == "precision" and not notes:
            value = Missing("no notes")
        yield pattern.format(name), value


def _reference_times(one: Difficulty, reference: Song | Missing) -> NDArray[np.float64] | Missing:
    if isinstance(reference, Missing):
        return reference
    name = (one.info.characteristic, one.info.difficulty)
    for other in reference.readable:
        if (other.info.characteristic, other.info.difficulty) == name:
            notes = played(other.parsed.objects["notes"])
            times_s = other.tempo.time(notes["beat"])
            return times_s if len(times_s) else Missing(f"the reference's {' '.join(name)} has no notes")
    return Missing(f"the reference has no readable {' '.join(name)}")


def _nps_error(nps: Measured, asked_nps: float | Missing) -> Measured:
    if isinstance(asked_nps, Missing):
        return asked_nps
    return nps if isinstance(nps, Missing) else nps_error(nps, asked_nps)


def _seam_ratio(one: Difficulty, seam_beats: Sequence[float] | Missing) -> Measured:
    if isinstance(seam_beats, Missing):
        return seam_beats
    notes = one.parsed.objects["notes"]
    counts = count_at_seams(notes, one.tempo.time(notes["beat"]), seam_beats)
    if counts.ratio is not None:
        return counts.ratio
    near = f"{counts.near_violations} violations in {counts.near_swings} swings near the seams"
    return Missing(f"no violation elsewhere to compare with: {near}" if counts.near_swings else "no swings near a seam")


def _total_variation(own: Counts, training: Counts | Missing) -> Measured:
    if isinstance(training, Missing):
        return training
    distance = total_variation(own, training)
    return distance if distance is not None else Missing("no notes" if training.sum() else "no training maps")
