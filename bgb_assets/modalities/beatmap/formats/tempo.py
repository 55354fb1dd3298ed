"""The game's own tempo rules: from change events or sample regions to beats in seconds, and back.

Belongs here: `TempoMap`, how change events and regions become one, and the comparison of the two.
Does not belong here: which events of which file version are changes (`parse_v2` and its siblings) and the
digest of a tempo map (`identities`). Next in the flow: `features` and `notes` ask for times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]

DISAGREEMENT_S = 0.010
"""A region border this far from the tempo map's own time is worth a warning."""

LEAST_BPM, GREATEST_BPM = 1e-6, 1e9
"""Within these every time and beat of a song is a finite number; what a player could meet is far narrower."""


@dataclass(frozen=True, eq=False)
class TempoMap:
    """Pieces of constant tempo.

    Attributes:
        beats: Where each piece begins, increasing; the first reaches back to all earlier beats too.
        seconds: When each piece begins.
        bpms: Its beats per minute, finite and positive.
        regular: Each piece begins when the one before ends, the first at beat 0, second 0: then beats and
            tempi alone say everything.
    """

    beats: Float64
    seconds: Float64
    bpms: Float64
    regular: bool = True

    def time(self, beats: ArrayLike) -> Float64:
        """Return the seconds of beats: `t_i + (b - b_i) * 60 / bpm_i` for the last i with b_i <= b."""
        wanted = np.asarray(beats, np.float64)
        piece = self._piece(self.beats, wanted)
        return np.asarray(self.seconds[piece] + (wanted - self.beats[piece]) * 60.0 / self.bpms[piece])

    def beat(self, seconds: ArrayLike) -> Float64:
        """Return the beats at seconds: the inverse of `time`."""
        wanted = np.asarray(seconds, np.float64)
        piece = self._piece(self.seconds, wanted)
        return np.asarray(self.beats[piece] + (wanted - self.seconds[piece]) * self.bpms[piece] / 60.0)

    def bpm_at(self, beats: ArrayLike) -> Float64:
        """Return the tempo that holds at beats."""
        return np.asarray(self.bpms[self._piece(self.beats, np.asarray(beats, np.float64))])

    @property
    def changes(self) -> int:
        """How often the tempo changes."""
        return len(self.beats) - 1

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value that `tempo_from_json` reads back exactly."""
        return {"beats": self.beats, "bpms": self.bpms, "regular": self.regular, "seconds": self.seconds}

    @staticmethod
    def _piece(starts: Float64, wanted: Float64) -> NDArray[np.intp]:
        return np.maximum(np.searchsorted(starts, wanted, side="right") - 1, 0)


@dataclass(frozen=True)
class TempoReading:
    """A tempo map and what a person should know about how it was read.

    Attributes:
        tempo: The map.
        ignored: How many events or regions said nothing usable.
    """

    tempo: TempoMap
    ignored: int = 0


def reckonable(bpms: ArrayLike) -> NDArray[np.bool_]:
    """Say which tempi can be reckoned with; 0, what is negative and what is not finite cannot."""
    values = np.asarray(bpms, np.float64)
    return np.asarray((values >= LEAST_BPM) & (values <= GREATEST_BPM))


def tempo_from_json(value: Mapping[str, Any]) -> TempoMap:
    """Return the tempo map that `TempoMap.to_json` wrote."""
    beats, seconds, bpms = (np.array(value[name], np.float64) for name in ("beats", "seconds", "bpms"))
    return TempoMap(beats, seconds, bpms, bool(value["regular"]))


def tempo_from_events(base_bpm: float, beats: ArrayLike, bpms: ArrayLike) -> TempoReading:
    """Return the tempo map of change events over a base tempo.

    Events are sorted by beat, stable; at one beat the last wins; one at or before beat 0 replaces the base
    tempo; one whose tempo is not finite, not positive or beyond all reckoning is ignored.

    Args:
        base_bpm: Tempo before the first event.
        beats: Beat of each event, any order.
        bpms: Tempo from there on.
    """
    at = np.asarray(beats, np.float64)
    to = np.asarray(bpms, np.float64)
    usable = np.isfinite(at) & reckonable(to)
    at, to = at[usable], to[usable]
    order = np.argsort(at, kind="stable")
    at, to = np.concatenate(([0.0], np.maximum(at[order], 0.0))), np.concatenate(([base_bpm], to[order]))
    last_of_beat = np.append(at[1:] != at[:-1], True)
    tempo = _continuous(at[last_of_beat], to[last_of_beat])
    return TempoReading(tempo, ignored=int(len(usable) - np.count_nonzero(usable)))


def tempo_from_regions(base_bpm: float, regions: ArrayLike, frequency_hz: float) -> TempoReading:
    """Return the tempo map of regions that tie beats to audio samples.

    In a region, the seconds of beat b are `si/f + (b - sb) * ((ei - si)/f) / (eb - sb)`; past the last one
    its rate goes on. Regions without length in beats or samples are ignored; without any, the base tempo holds.

    Args:
        base_bpm: Tempo where there is no region.
        regions: (n, 4) start sample, end sample, start beat, end beat.
        frequency_hz: Samples per second.
    """
    table = np.asarray(regions, np.float64).reshape(-1, 4)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bpms = 60.0 * (table[:, 3] - table[:, 2]) * frequency_hz / (table[:, 1] - table[:, 0])
        placed = np.isfinite(table).all(axis=1) & np.isfinite(table[:, :2] / frequency_hz).all(axis=1)
    usable = placed & reckonable(bpms) & (table[:, 3] > table[:, 2])
    ignored = int(len(usable) - np.count_nonzero(usable))
    table, bpms = table[usable], bpms[usable]
    if not len(table):
        return TempoReading(_continuous(np.zeros(1), np.array([base_bpm])), ignored)
    order = np.argsort(table[:, 2], kind="stable")
    table, bpms = table[order], bpms[order]
    joined = bool((table[1:, [0, 2]] == table[:-1, [1, 3]]).all() and table[0, 0] == 0 and table[0, 2] == 0)
    if joined:
        return TempoReading(_continuous(table[:, 2], bpms), ignored)
    return TempoReading(TempoMap(table[:, 2], table[:, 0] / frequency_hz, bpms, regular=False), ignored)


def region_disagreement_s(tempo: TempoMap, regions: ArrayLike, frequency_hz: float) -> float:
    """Return the largest distance in seconds between region borders and the tempo map's time of their beats."""
    table = np.asarray(regions, np.float64).reshape(-1, 4)
    table = table[np.isfinite(table).all(axis=1)]
    if not len(table):
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        distances_s = np.abs(tempo.time(table[:, 2:]) - table[:, :2] / frequency_hz)
    return float(np.nan_to_num(distances_s, nan=np.inf, posinf=np.inf).max())


def _continuous(beats: Float64, bpms: Float64) -> TempoMap:
    """Merge equal neighbours and let each piece begin when the one before ends; the first beat is 0."""
    changes = np.append(True, bpms[1:] != bpms[:-1])
    beats, bpms = beats[changes] + 0.0, bpms[changes]
    lengths_s = np.diff(beats) * 60.0 / bpms[:-1]
    return TempoMap(beats, np.concatenate(([0.0], np.cumsum(lengths_s))), bpms)
