"""What a label in a file means: an electrode, a pair of electrodes, or neither.

Labels match whole and exactly, never by substring: FC3 is not C3. Belongs here: one label at a time.
Does not belong here: which of a file's signals are used (`channels`). Next in the flow: `channels`.
"""

import re
import unicodedata
from dataclasses import dataclass

from bgb_assets.modalities.eeg.electrodes import CANONICAL

_CANONICAL = {name.casefold(): name for name in CANONICAL}
_SYNONYMS = {"t7": "T3", "t8": "T4", "p7": "T5", "p8": "T6"}

# The words before a label that name its type in EDF+ and in the exports of the large vendors.
_OTHER_TYPES = frozenset(
    (
        *("pol", "ecg", "ekg", "eog", "emg", "erg", "meg", "mcg", "ep", "bp", "abp", "airflow", "chin", "dc", "dig"),
        *("event", "flow", "gsr", "hr", "ibi", "leg", "marker", "misc", "nasal", "osat", "photic", "pos", "ppg", "pr"),
        *("pulse", "ref_eeg", "resp", "sao2", "snore", "sound", "spo2", "stat", "status", "stim", "temp", "thor"),
        *("thorax", "abdo", "abdomen", "cannula", "light", "trig"),
    )
)
_TYPE_AND_REST = re.compile(r"(\S+)\s+(\S.*)", re.DOTALL)
_REFERENCE = re.compile(r"\s*-\s*(?:ref|le|re|ar|avg|a1\s*\+\s*a2|a1a2|a1|a2|m1|m2)$", re.IGNORECASE)
_PAIR = re.compile(r"([^-\s]+)\s*-\s*([^-\s]+)")

# Every name of the 10-20, 10-10 and 10-5 systems has this form, and those of ears and mastoids.
_ELECTRODE = re.compile(
    r"(?:n|i|fp|afp|af|aff|f|fft|ft|ffc|fc|t|ttp|tp|fcc|c|ccp|cp|tpp|cpp|p|ppo|po|poo|o|oi|sp|cb|a|m)(?:z|\d{1,2}h?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Electrode:
    """One electrode against the recording's reference; `name` is one of `CANONICAL`."""

    name: str


@dataclass(frozen=True)
class Pair:
    """First minus second electrode: one of `CANONICAL` where it is one, otherwise as the file writes it."""

    first: str
    second: str


@dataclass(frozen=True)
class Unused:
    """A label that is neither, and why."""

    why: str


Meaning = Electrode | Pair | Unused


def parse_label(label: str) -> Meaning:
    """Return what a signal's label means.

    In this order: Unicode NFKC, blanks and trailing dots off; a leading `EEG` off, another type word ends it; one
    suffix that names a usual reference off; T7 T8 P7 P8 are T3 T4 T5 T6; case is ignored.
    """
    text = unicodedata.normalize("NFKC", label).strip().rstrip(".").strip()
    typed = _TYPE_AND_REST.fullmatch(text)
    if typed is not None and typed[1].casefold() == "eeg":
        text = typed[2].strip()
    elif typed is not None and typed[1].casefold() in _OTHER_TYPES:
        return Unused("not EEG")
    text = _REFERENCE.sub("", text, count=1)
    electrode = canonical_name(text)
    if electrode is not None:
        return Electrode(electrode)
    pair = _PAIR.fullmatch(text)
    if pair is not None and _ELECTRODE.fullmatch(pair[1]) and _ELECTRODE.fullmatch(pair[2]):
        return Pair(canonical_name(pair[1]) or pair[1], canonical_name(pair[2]) or pair[2])
    return Unused("none of the 19 electrodes")


def canonical_name(text: str) -> str | None:
    """Return the electrode that a bare name stands for, or None: `"p7"` gives `"T5"`."""
    folded = text.casefold()
    return _SYNONYMS.get(folded) or _CANONICAL.get(folded)
