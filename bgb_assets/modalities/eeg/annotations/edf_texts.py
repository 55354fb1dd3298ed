"""Finds seizures in the free annotation texts of a recording file.

A text counts where the whole of it matches a pattern. A beginning pairs with the next ending, or has a duration of
its own. Other texts mean nothing here, so that texts without any match are no source of labels at all.

Belongs here: patterns and pairing. Does not belong here: reading texts out of a file (`recordings`).
"""

import re
from collections.abc import Sequence

from bgb_assets.modalities.eeg.annotations.events import Event
from bgb_assets.modalities.eeg.annotations.labels import LABEL_IDS, SEIZURE
from bgb_assets.runtime.errors import BadInput, ConfigError

START = "start"
END = "end"

DEFAULT_PATTERNS = (
    (START, "onset"),
    (START, "seizure"),
    (START, "seizure start"),
    (END, "offset"),
    (END, "seizure end"),
)
"""(what it marks, regular expression of the whole text in any case)."""

Text = tuple[float, float | None, str]
"""(onset in seconds, duration in seconds or None, text)."""

_RECORD_TIME = re.compile(r"[+-][0-9]+(?:\.[0-9]*)?")


def read_texts(texts: Sequence[Text], patterns: Sequence[tuple[str, str]] = DEFAULT_PATTERNS) -> tuple[Event, ...]:
    """Return the seizures that the texts say; none where no text matches.

    Args:
        texts: In any order. A duration of None or 0 is none.
        patterns: See `DEFAULT_PATTERNS`.

    Raises:
        BadInput: A beginning without an ending, an ending without a beginning.
        ConfigError: A pattern that is no regular expression, or marks neither start nor end.
    """
    starts, ends = _compiled(patterns, START), _compiled(patterns, END)
    events: list[Event] = []
    begun: Text | None = None
    for onset_s, duration_s, text in sorted(texts, key=lambda item: item[0]):
        role = _role(text.strip(), starts, ends)
        if role is None:
            continue
        if begun is not None and role == START:
            raise _unpaired(begun, "an ending before the next beginning")
        if role == START:
            begun = None if duration_s else (onset_s, duration_s, text)
            events += [_seizure(onset_s, onset_s + duration_s, text)] if duration_s else []
        elif begun is None:
            raise _unpaired((onset_s, duration_s, text), "a beginning before it")
        else:
            events.append(_seizure(begun[0], onset_s, begun[2]))
            begun = None
    if begun is not None:
        raise _unpaired(begun, "an ending after it, or a duration")
    return tuple(events)


def check_patterns(patterns: Sequence[tuple[str, str]]) -> None:
    """Refuse patterns that cannot be used.

    Raises:
        ConfigError: See `read_texts`.
    """
    for role in (START, END):
        _compiled(patterns, role)


def _compiled(patterns: Sequence[tuple[str, str]], role: str) -> list[re.Pattern[str]]:
    compiled = []
    for marks, pattern in patterns:
        if marks not in {START, END}:
            raise ConfigError(f"edf_text_patterns: got {marks!r} for {pattern!r}, expected {START!r} or {END!r}")
        try:
            expression = re.compile(pattern, re.IGNORECASE)
        except re.error as error:
            raise ConfigError(f"edf_text_patterns: {pattern!r} is no regular expression: {error}") from error
        compiled += [expression] if marks == role else []
    return compiled


def _role(text: str, starts: Sequence[re.Pattern[str]], ends: Sequence[re.Pattern[str]]) -> str | None:
    """Return what a text marks; one that only repeats the time of its record marks nothing."""
    if _RECORD_TIME.fullmatch(text):
        return None
    if any(pattern.fullmatch(text) for pattern in starts):
        return START
    return END if any(pattern.fullmatch(text) for pattern in ends) else None


def _seizure(onset_s: float, offset_s: float, text: str) -> Event:
    return Event(float(onset_s), float(offset_s), text.strip(), LABEL_IDS[SEIZURE], True, (), None, 0)


def _unpaired(text: Text, expected: str) -> BadInput:
    return BadInput(
        f"annotations in the recording: got {text[2]!r} at {text[0]} s, expected {expected}",
        "add a csv_bi file, or set the parameter edf_text_patterns to what the texts mean",
    )
