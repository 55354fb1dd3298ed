"""Which signals of a recording are used: one per electrode or pair, in montage order, with what was left out.

Belongs here: referential against bipolar, duplicates, rates and units that cannot be used.
Does not belong here: the meaning of one label (`naming`), reading samples (`edf`, `other_formats`).
Next in the flow: `raw` writes the choice, `cache` stores the samples of these channels.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.recordings.naming import Electrode, Meaning, Pair, Unused, parse_label
from bgb_assets.modalities.eeg.recordings.recording import Signal
from bgb_assets.modalities.eeg.recordings.units import microvolts
from bgb_assets.runtime.errors import BadInput

REFERENTIAL, BIPOLAR = "referential", "bipolar"
MIN_ELECTRODES = 8
MIN_RATE_HZ = 100.0
_SAME_REFERENCE = 8
"""So many pairs with one second electrode are a recording against that electrode."""


@dataclass(frozen=True)
class Channel:
    """One signal that is used.

    Attributes:
        name: `"Fp1"`, or `"Fp1-F7"` in a bipolar recording.
        sign: -1 where the file holds the pair the other way round.
        unit_to_uv: Factor from the file's unit to microvolts.
    """

    name: str
    signal: Signal
    sign: int
    unit_to_uv: float


@dataclass(frozen=True)
class Choice:
    """The signals of a recording that are used.

    Attributes:
        reference: The electrode of `CANONICAL` that all others are measured against, so that its own signal is zero
            and in no file; None where the reference is none of them.
        rate_hz: The rate of most channels.
        not_used: (label, why) in the file's order.
    """

    kind: str
    channels: tuple[Channel, ...]
    reference: str | None
    rate_hz: float
    not_used: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def choose(signals: Sequence[Signal]) -> Choice:
    """Choose a recording's channels, in montage order; pairs of the double banana come first.

    Raises:
        BadInput: Fewer than 8 of the 19 electrodes can be used.
    """
    left_out: dict[int, str] = {}
    warnings: list[str] = []
    parsed = {position: parse_label(signal.label) for position, signal in enumerate(signals)}
    reference = _shared_reference(parsed.values())
    meanings = {position: _against(meaning, reference) for position, meaning in parsed.items()}
    usable = _usable(signals, meanings, left_out, warnings)
    kind = _kind(usable.values())
    taken = _taken(kind, signals, usable, left_out, warnings)
    reference = reference if kind == REFERENTIAL and reference in CANONICAL else None
    if unitless := [channel.signal.label for channel in taken.values() if not channel.signal.unit.strip()]:
        warnings.append(f"no unit, read as uV: {', '.join(map(repr, unitless))}")
    # The reference's own signal is known without being recorded.
    known = {name for key in taken for name in key} | ({reference} if reference else set())
    if len(known) < MIN_ELECTRODES:
        raise _too_few(known, signals, left_out)
    channels = tuple(taken[key] for key in sorted(taken, key=_montage_order))
    rates = Counter(channel.signal.rate_hz for channel in channels)
    return Choice(
        kind=kind,
        channels=channels,
        reference=None if reference is None or (reference,) in taken else reference,
        rate_hz=max(rates, key=lambda rate: (rates[rate], rate)),
        not_used=tuple((signals[position].label, why) for position, why in sorted(left_out.items())),
        warnings=tuple(warnings),
    )


def _shared_reference(meanings: Iterable[Meaning]) -> str | None:
    """Return the second electrode of so many pairs that they are no pairs but a recording against it."""
    seconds = Counter(meaning.second.casefold() for meaning in meanings if isinstance(meaning, Pair))
    folded = next((second for second, n in seconds.most_common(1) if n >= _SAME_REFERENCE), None)
    return next((name for name in CANONICAL if name.casefold() == folded), folded)


def _against(meaning: Meaning, reference: str | None) -> Meaning:
    """Return a pair with the shared reference as the electrode that it is."""
    if not isinstance(meaning, Pair) or reference is None or meaning.second.casefold() != reference.casefold():
        return meaning
    return Electrode(meaning.first) if meaning.first in CANONICAL else Unused("none of the 19 electrodes")


def _usable(
    signals: Sequence[Signal], meanings: Mapping[int, Meaning], left_out: dict[int, str], warnings: list[str]
) -> dict[int, Electrode | Pair]:
    usable: dict[int, Electrode | Pair] = {}
    for position, meaning in meanings.items():
        signal = signals[position]
        if isinstance(meaning, Unused):
            left_out[position] = meaning.why
        elif isinstance(meaning, Pair) and not {meaning.first, meaning.second} <= set(CANONICAL):
            left_out[position] = "a pair with an electrode that is none of the 19"
        elif isinstance(meaning, Pair) and meaning.first == meaning.second:
            left_out[position] = "a pair of one electrode with itself"
        elif why := _why_unusable(signal):
            left_out[position] = why
            warnings.append(f"{signal.label!r} is left out: {why}")
        else:
            usable[position] = meaning
    return usable


def _why_unusable(signal: Signal) -> str | None:
    if signal.problem is not None:
        return signal.problem
    if microvolts(signal.unit) is None:
        return f"unit {signal.unit!r} is no voltage"
    if signal.rate_hz < MIN_RATE_HZ:
        return f"{signal.rate_hz:g} Hz, less than {MIN_RATE_HZ:g} Hz"
    return None


def _kind(meanings: Iterable[Electrode | Pair]) -> str:
    listed = list(meanings)
    electrodes = {meaning.name for meaning in listed if isinstance(meaning, Electrode)}
    paired = {name for meaning in listed if isinstance(meaning, Pair) for name in (meaning.first, meaning.second)}
    return REFERENTIAL if len(electrodes) >= min(MIN_ELECTRODES, len(paired)) else BIPOLAR


def _taken(
    kind: str,
    signals: Sequence[Signal],
    usable: Mapping[int, Electrode | Pair],
    left_out: dict[int, str],
    warnings: list[str],
) -> dict[tuple[str, ...], Channel]:
    """Return electrodes -> channel, the first signal of each in the file's order."""
    taken: dict[tuple[str, ...], Channel] = {}
    for position, meaning in usable.items():
        signal = signals[position]
        if isinstance(meaning, Pair) != (kind == BIPOLAR):
            left_out[position] = f"a {BIPOLAR if isinstance(meaning, Pair) else REFERENTIAL} signal among {kind} ones"
            continue
        key, sign = _oriented(meaning)
        if key in taken:
            first = taken[key].signal.label
            left_out[position] = f"{'-'.join(key)} again, {first!r} is used"
            warnings.append(f"{signal.label!r} is {'-'.join(key)} again: {first!r}, the first in the file, is used")
            continue
        factor = microvolts(signal.unit)
        assert factor is not None  # `_usable` left the others out
        taken[key] = Channel("-".join(key), signal, sign, factor)
    return taken


def _oriented(meaning: Electrode | Pair) -> tuple[tuple[str, ...], int]:
    """Return the electrodes in the order of the montage, and the sign of the file's signal against it."""
    if isinstance(meaning, Electrode):
        return (meaning.name,), 1
    pair, reverse = (meaning.first, meaning.second), (meaning.second, meaning.first)
    if pair in BIPOLAR18 or reverse in BIPOLAR18:
        forward = pair in BIPOLAR18
    else:
        forward = CANONICAL.index(pair[0]) < CANONICAL.index(pair[1])
    return (pair, 1) if forward else (reverse, -1)


def _montage_order(key: tuple[str, ...]) -> tuple[int, ...]:
    if key in BIPOLAR18:
        return (BIPOLAR18.index((key[0], key[1])),)
    return (len(BIPOLAR18) * (len(key) - 1), *(CANONICAL.index(name) for name in key))


def _too_few(known: set[str], signals: Sequence[Signal], left_out: Mapping[int, str]) -> BadInput:
    found = ", ".join(name for name in CANONICAL if name in known) or "none"
    missing = ", ".join(name for name in CANONICAL if name not in known)
    refused = [f"{signals[position].label!r} ({why})" for position, why in sorted(left_out.items())]
    shown = ", ".join(refused[:24]) + (f" and {len(refused) - 24} more" if len(refused) > 24 else "")
    return BadInput(
        f"{len(known)} of the 19 electrodes of the 10-20 system, at least {MIN_ELECTRODES} are needed: "
        f"found {found}; missing {missing}; not used {shown or 'none'}",
        "use a scalp recording with the 10-20 electrodes, or exclude it",
    )
