"""The scorers of NEDC's evaluation software, version 6.0.0: overlap, time-aligned (TAES), epochs.

Written from their rules; the order in which TAES uses events up is part of the score. Belongs here: the three rules.
Does not belong here: those of SzCORE (`szcore`).
"""

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.events import Events, prepared
from bgb_assets.modalities.eeg.scoring.overlaps import common, first_and_past_last, overlapping

EPOCH_S = 0.25


def nedc_overlap(reference: Events, hypothesis: Events, duration_s: float) -> Counts:
    """Count events: found, and not false, is what overlaps anything of the other list; touching ends do not.

    One hypothesis may find many references.

    Args:
        reference: (k, 2) seconds.
        hypothesis: (k, 2) seconds.
        duration_s: Of the recording.

    Raises:
        BadInput: An event is no interval of finite times.
    """
    references, hypotheses = prepared(reference, duration_s), prepared(hypothesis, duration_s)
    found = int(overlapping(references, hypotheses).sum())
    false = int((~overlapping(hypotheses, references)).sum())
    return Counts(found, false, len(references), duration_s)


def nedc_taes(reference: Events, hypothesis: Events, duration_s: float) -> Counts:
    """Count shares of events by the time that agrees (Shah et al. 2021).

    References are walked in order. The first unused hypothesis that overlaps gives hit = overlap / length and false
    alarm = its time outside / length, at most 1. Where it ends at or after the reference, every later unused reference
    that it overlaps is used up as missed in full. Otherwise every later unused hypothesis that overlaps adds its hit
    and its false alarm. References left unused are missed, hypotheses left unused are false alarms.

    Args:
        reference: (k, 2) seconds.
        hypothesis: (k, 2) seconds.
        duration_s: Of the recording.

    Raises:
        BadInput: An event is no interval of finite times.
    """
    references, hypotheses = prepared(reference, duration_s), prepared(hypothesis, duration_s)
    return _Walk(references, hypotheses).counts(duration_s)


def nedc_epoch(reference: Events, hypothesis: Events, duration_s: float) -> Counts:
    """Count epochs of 0.25 s, each labelled at its middle; an event holds the middles in (onset, offset].

    That is how the original resolves a middle that falls on a boundary: the earlier event has it. What it calls false
    alarms in 24 hours is false epochs * 0.25 s * 86,400 / seconds: `metrics` multiplies by `EPOCH_S`.

    Args:
        reference: (k, 2) seconds.
        hypothesis: (k, 2) seconds.
        duration_s: Of the recording.

    Raises:
        BadInput: An event is no interval of finite times.
    """
    references, hypotheses = (_middles(prepared(one, duration_s)) for one in (reference, hypothesis))
    both = common(references, hypotheses)
    detected, true = (int((one[:, 1] - one[:, 0]).sum()) for one in (hypotheses, references))
    return Counts(both, detected - both, true, duration_s)


def _middles(events: Events) -> NDArray[np.int64]:
    """Return [first, past last) numbers of the middles 0.125 + 0.25 i in (onset, offset] of each event."""
    return np.asarray(np.maximum(np.floor(events / EPOCH_S - 0.5) + 1, 0), np.int64)


class _Walk:
    """One pass over the references of a recording; it uses events up as it goes."""

    def __init__(self, references: Events, hypotheses: Events) -> None:
        self._references, self._hypotheses = references, hypotheses
        self._free_reference = np.ones(len(references), np.bool_)
        self._free_hypothesis = np.ones(len(hypotheses), np.bool_)
        self._hit = self._false = self._missed = 0.0

    def counts(self, duration_s: float) -> Counts:
        ranges = zip(*first_and_past_last(self._references, self._hypotheses), strict=True)
        for place, (first, past) in enumerate(ranges):
            free = first + np.flatnonzero(self._free_hypothesis[first:past])
            if self._free_reference[place] and len(free):
                self._score(place, free)
        self._missed += float(self._free_reference.sum())
        self._false += float(self._free_hypothesis.sum())
        return Counts(self._hit, self._false, self._hit + self._missed, duration_s)

    def _score(self, place: int, free: NDArray[np.int64]) -> None:
        """Score a reference against the unused hypotheses that overlap it, in order."""
        start, stop = self._references[place]
        long = self._hypotheses[free[0], 1] >= stop
        used = free[:1] if long else free
        onsets, offsets = self._hypotheses[used].T
        overlap = np.minimum(offsets, stop) - np.maximum(onsets, start)
        hit = float((overlap / (stop - start)).sum())
        self._hit += hit
        self._missed += 1 - hit
        self._false += float(np.minimum(1, (offsets - onsets - overlap) / (stop - start)).sum())
        self._free_reference[place] = False
        self._free_hypothesis[used] = False
        if long:
            self._use_up_later_references(place, int(free[0]))

    def _use_up_later_references(self, place: int, hypothesis: int) -> None:
        later = self._references[place + 1 :, 0] < self._hypotheses[hypothesis, 1]
        taken = place + 1 + np.flatnonzero(later & self._free_reference[place + 1 :])
        self._missed += len(taken)
        self._free_reference[taken] = False
