"""Light shows: the events that colour the stage, in one form, and a simple show made from what is heard.

Belongs here: the table of light events and the rules of the simple show. Does not belong here: how a file version
holds them (`read_lights`, `write_lights`); light events take no part in a map's identity. Next in the flow: `export`.

Kinds: 0 lasers at the back, 1 rings, 2 and 3 turning lasers left and right, 4 middle, 8 spin of the rings, 9 their
zoom, 12 and 13 speed of the turning lasers. Values of lights: 0 off; 1 on, 2 flash, 3 fade in one colour, 5 to 7 the
same in the other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bgb_assets.modalities.beatmap.formats.tempo import TempoMap

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

BACK, RINGS, LEFT_LASERS, RIGHT_LASERS, MIDDLE = 0, 1, 2, 3, 4
RING_SPIN, RING_ZOOM, LEFT_SPEED, RIGHT_SPEED = 8, 9, 12, 13
OFF, ON, FLASH, FADE, OTHER_COLOR = 0, 1, 2, 3, 4
"""Values of a light; adding `OTHER_COLOR` to one that is not off gives the other colour."""

_LIGHTS = (BACK, RINGS, LEFT_LASERS, RIGHT_LASERS, MIDDLE)
_BAR_BEATS, _SECTION_BARS = 4, 8
_NEAR_S = 0.06
_LOUD_PERCENTILE = 95.0
_STRONG, _AUDIBLE = 0.6, 0.15
_MAX_SPEED = 8
_DIMMEST = 0.4


@dataclass(frozen=True, eq=False)
class Lights:
    """The light events of one difficulty, by beat.

    Attributes:
        beat: (n,) where each event lies.
        kind: (n,) what it acts on.
        value: (n,) what it does.
        strength: (n,) how bright; 1 is normal.
        boost_beat: (m,) where the second pair of colours is switched on or off.
        boost_on: (m,) which of both.
    """

    beat: Float64
    kind: Int64
    value: Int64
    strength: Float64
    boost_beat: Float64
    boost_on: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.beat) + len(self.boost_beat)


def no_lights() -> Lights:
    """Return a show without events."""
    nothing, none = np.zeros(0), np.zeros(0, np.int64)
    return Lights(nothing, none, none, nothing, nothing, np.zeros(0, np.bool_))


def simple_lights(onset: ArrayLike, hop_s: float, tempo: TempoMap) -> Lights:
    """Return a light show that follows the beats of a song and how strongly it is played; the same each time.

    Each audible beat lights the turning lasers in turn, a strong one flashes the middle, a strong half beat the rings.
    With each bar the colours change and the lasers take their speed from it; the lasers at the back shine in bars
    that are louder than most, boosted colours in such sections of eight bars.

    Args:
        onset: (frames,) onset strength, frame k at second k * hop_s; the show ends with it.
        hop_s: Seconds from frame to frame.
        tempo: The song's tempo map; beat 0 begins the first bar.
    """
    strength = np.asarray(onset, np.float64)
    beats = int(np.floor(tempo.beat(max(0, len(strength) - 1) * hop_s))) + 1 if len(strength) else 0
    if beats < 1 or not strength.any():
        return no_lights()
    on_beats = _strength_at(strength, hop_s, tempo.time(np.arange(beats)))
    off_beats = _strength_at(strength, hop_s, tempo.time(np.arange(beats) + 0.5))
    bars = _bar_means(on_beats)
    loud = bars >= max(_AUDIBLE, float(np.median(bars)))
    rows = [
        *_beat_events(on_beats),
        *_half_beat_events(off_beats),
        *_bar_events(bars, loud),
        *((float(beats), kind, OFF, 1.0) for kind in _LIGHTS),
    ]
    boost_beat, boost_on = _boosts(loud)
    return _sorted(rows, boost_beat, boost_on)


Row = tuple[float, int, int, float]
"""Beat, kind, value, strength."""


def _beat_events(strength: Float64) -> list[Row]:
    rows: list[Row] = []
    for beat, heard in enumerate(strength.tolist()):
        if heard < _AUDIBLE:
            continue
        color = OTHER_COLOR * (beat // _BAR_BEATS % 2)
        rows.append((beat, RIGHT_LASERS if beat % 2 else LEFT_LASERS, FADE + color, _brightness(heard)))
        if heard >= _STRONG:
            rows.append((beat, MIDDLE, FLASH + OTHER_COLOR - color, _brightness(heard)))
    return rows


def _half_beat_events(strength: Float64) -> list[Row]:
    return [
        (beat + 0.5, RINGS, FADE + OTHER_COLOR * (beat % 2), _brightness(heard))
        for beat, heard in enumerate(strength.tolist())
        if heard >= _STRONG
    ]


def _bar_events(bars: Float64, loud: NDArray[np.bool_]) -> list[Row]:
    rows: list[Row] = []
    for bar, (heard, is_loud) in enumerate(zip(bars.tolist(), loud.tolist(), strict=True)):
        beat, color = float(bar * _BAR_BEATS), OTHER_COLOR * (bar % 2)
        speed = 1 + round(min(1.0, heard) * (_MAX_SPEED - 1))
        rows += [(beat, LEFT_SPEED, speed, 1.0), (beat, RIGHT_SPEED, speed, 1.0)]
        rows.append((beat, BACK, ON + color, _brightness(heard)) if is_loud else (beat, BACK, OFF, 1.0))
        if is_loud:
            rows.append((beat, RING_SPIN, 0, 1.0))
        if bar % _SECTION_BARS == 0:
            rows.append((beat, RING_ZOOM, 0, 1.0))
    return rows


def _boosts(loud: NDArray[np.bool_]) -> tuple[list[float], list[bool]]:
    """Return where sections of mostly loud bars begin and end."""
    starts = range(0, len(loud), _SECTION_BARS)
    wanted = [bool(loud[start : start + _SECTION_BARS].mean() > 0.5) for start in starts]
    changes = [index for index, on in enumerate(wanted) if on != (index > 0 and wanted[index - 1])]
    return [float(starts[index] * _BAR_BEATS) for index in changes], [wanted[index] for index in changes]


def _strength_at(onset: Float64, hop_s: float, times_s: Float64) -> Float64:
    """Return the highest onset strength near each time, relative to the song's loud ones."""
    reach = max(1, round(_NEAR_S / hop_s))
    nearest = np.clip(np.rint(times_s / hop_s).astype(np.int64), 0, len(onset) - 1)
    around = np.clip(nearest[:, None] + np.arange(-reach, reach + 1), 0, len(onset) - 1)
    loud = float(np.percentile(onset[onset > 0], _LOUD_PERCENTILE))
    return np.asarray(onset[around].max(axis=1) / loud)


def _bar_means(strength: Float64) -> Float64:
    return np.asarray(np.add.reduceat(strength, np.arange(0, len(strength), _BAR_BEATS)) / _BAR_BEATS)


def _brightness(heard: float) -> float:
    return round(_DIMMEST + (1.0 - _DIMMEST) * min(1.0, heard), 3)


def _sorted(rows: list[Row], boost_beat: list[float], boost_on: list[bool]) -> Lights:
    beat, kind, value, strength = (np.array(column) for column in zip(*sorted(rows), strict=True))
    return Lights(
        beat.astype(np.float64),
        kind.astype(np.int64),
        value.astype(np.int64),
        strength.astype(np.float64),
        np.array(boost_beat, np.float64),
        np.array(boost_on, np.bool_),
    )
