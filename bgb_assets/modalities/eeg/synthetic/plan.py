"""What happens in a made-up recording, and when: its seizures and what only looks like one.

Belongs here: options, slots, episodes. Does not belong here: how anything sounds on an electrode (`background`,
`episodes`), files (`edf_file`, `label_files`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bgb_assets.modalities.eeg.electrodes import CANONICAL, RATE_HZ
from bgb_assets.runtime.errors import UsageError

SEIZURE = "seizure"
DISTRACTORS = ("movement", "chewing", "delta", "theta")
"""Kinds of episode that are no seizure but as large, as long and as wide as one."""

RATES_HZ = (200, 250, 256, 400, 512)
MIN_MINUTES = 1.0

_SLOT_S = 150.0
_SEIZURES_PER_SLOT = 2 / 8
_EMPTY_PER_SLOT = 1 / 8
_AMPLITUDES_UV = (60.0, 150.0)
_LENGTHS_S = (15.0, 100.0)
_MEDIAN_LENGTH_S = 45.0
_LENGTH_SIGMA = 0.5
_SPREADS = (0.4, 1.2)
_LEAD_S = 4.0
_LONGEST_SHARE_OF_SLOT = 0.7
_MEDIAN_SHARE_OF_LONGEST = 0.75


@dataclass(frozen=True)
class SynthOptions:
    """How recordings are written.

    Attributes:
        rate_hz: One of `RATES_HZ`.
        bipolar: Write the double banana (`FP1-F7`) instead of electrodes against a reference (`EEG FP1-REF`).
        without: Electrodes that were not attached, such as `("Fz", "Pz")`.
        gap_s: Whole seconds for which the recorder stood still in the middle (EDF+D); 0 for none.
        mains_hz: Frequency of the mains hum.
        seizures: False leaves them out; distractors stay.
        folders: Patient p lies below `folders[p % len(folders)]`, such as `("train", "dev", "eval")`; none: at the top.
    """

    rate_hz: int = RATE_HZ
    bipolar: bool = False
    without: tuple[str, ...] = ()
    gap_s: int = 0
    mains_hz: float = 60.0
    seizures: bool = True
    folders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rate_hz not in RATES_HZ:
            raise UsageError(f"rate_hz must be one of {RATES_HZ!r}, got {self.rate_hz!r}")
        if unknown := [name for name in self.without if name not in CANONICAL]:
            raise UsageError(f"without must name electrodes of {CANONICAL!r}, got {unknown!r}")
        if self.gap_s < 0:
            raise UsageError(f"gap_s must be 0 or more whole seconds, got {self.gap_s!r}")


@dataclass(frozen=True)
class Episode:
    """One seizure or distractor.

    Attributes:
        kind: `SEIZURE` or one of `DISTRACTORS`.
        onset_s: Start, in seconds of signal; a gap of the recorder is not counted.
        offset_s: Its end.
        amplitude_uv: Peak of the wave where it is largest.
        focus: Index of the electrode where it is largest.
        spread: Distance on the flat head at which it has fallen to 1/e.
    """

    kind: str
    onset_s: float
    offset_s: float
    amplitude_uv: float
    focus: int
    spread: float


def draw_episodes(rng: np.random.Generator, seconds: int, with_seizures: bool = True) -> tuple[Episode, ...]:
    """Deal episodes over slots of about 150 s: of eight slots two hold a seizure, one nothing, five a distractor.

    Two slots at least, so that a short recording has one seizure and one distractor.
    """
    slots = max(2, round(seconds / _SLOT_S))
    slot_s = seconds / slots
    kinds = rng.permutation(_kinds(rng, slots))
    drawn = [_episode(rng, str(kind), slot * slot_s, slot_s) for slot, kind in enumerate(kinds) if kind]
    return tuple(one for one in drawn if with_seizures or one.kind != SEIZURE)


def gap_at_s(seconds: int) -> int:
    """Return the second of signal after which a recorder with a gap stands still: no episode reaches it."""
    slots = max(2, round(seconds / _SLOT_S))
    return int(seconds / slots * (slots // 2))


def late_s(episode: Episode, options: SynthOptions, seconds: int) -> int:
    """Return the length of the gap before an episode: what its time on the clock is later than its time of signal."""
    return options.gap_s if episode.onset_s >= gap_at_s(seconds) else 0


def truth_of(episodes: Sequence[Episode], options: SynthOptions, seconds: int) -> dict[str, Any]:
    """Return `gap_s`, [onset, length] or None, and `episodes`, kind -> [onset, offset] in seconds on the clock."""
    held: dict[str, list[list[float]]] = {}
    for episode in episodes:
        late = late_s(episode, options, seconds)
        held.setdefault(episode.kind, []).append([round(at + late, 4) for at in (episode.onset_s, episode.offset_s)])
    return {"gap_s": [gap_at_s(seconds), options.gap_s] if options.gap_s else None, "episodes": held}


def _kinds(rng: np.random.Generator, slots: int) -> list[str]:
    seizures = max(1, round(slots * _SEIZURES_PER_SLOT))
    empty = round(slots * _EMPTY_PER_SLOT)
    others = slots - seizures - empty
    rounds = -(-others // len(DISTRACTORS))
    distractors = [str(kind) for _ in range(rounds) for kind in rng.permutation(DISTRACTORS)]
    return [SEIZURE] * seizures + [""] * empty + distractors[:others]


def _episode(rng: np.random.Generator, kind: str, slot_start_s: float, slot_s: float) -> Episode:
    longest_s = min(_LENGTHS_S[1], _LONGEST_SHARE_OF_SLOT * slot_s)
    median_s = min(_MEDIAN_LENGTH_S, _MEDIAN_SHARE_OF_LONGEST * longest_s)
    length_s = rng.lognormal(np.log(median_s), _LENGTH_SIGMA)
    length_s = min(max(length_s, min(_LENGTHS_S[0], longest_s)), longest_s)
    onset_s = slot_start_s + _LEAD_S + rng.uniform(0.0, slot_s - _LEAD_S - 1.0 - length_s)
    return Episode(
        kind,
        _between_samples(onset_s),
        _between_samples(onset_s + length_s),
        rng.uniform(*_AMPLITUDES_UV),
        int(rng.integers(len(CANONICAL))),
        rng.uniform(*_SPREADS),
    )


def _between_samples(at_s: float) -> float:
    """Round to four decimals in the middle of a sample, so that every spelling of a time falls into that sample."""
    return round((float(np.floor(at_s * RATE_HZ)) + 0.5) / RATE_HZ, 4)
