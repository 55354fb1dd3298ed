"""Which labels there are, their numbers, and which of them are seizures; the words of the file layouts.

Belongs here: the label table and the constants that readers and writers of annotation files share. Does not belong
here: reading (`csv_bi`, `bids_events`, ...) and writing (`detection.export`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bgb_assets.runtime.errors import ConfigError

BACKGROUND = "bckg"
SEIZURE = "seiz"
HED_SEIZURE = "sz"
"""What HED-SCORE calls a seizure; its kinds begin with `sz_`."""

LABEL_IDS: Mapping[str, int] = {
    "bckg": 0,
    "seiz": 1,
    "sz": 1,
    "fnsz": 2,
    "gnsz": 3,
    "spsz": 4,
    "cpsz": 5,
    "absz": 6,
    "tnsz": 7,
    "cnsz": 8,
    "tcsz": 9,
    "atsz": 10,
    "mysz": 11,
    "nesz": 12,
    "impd": 13,
}
OTHER_SEIZURE_ID = 14
"""Any other `sz_...`: the text stays beside the number."""

SEIZURE_IDS = frozenset({*range(1, 12), OTHER_SEIZURE_ID})

CSV_VERSION = "csv_v1.0.0"
CSV_COLUMNS = ("channel", "start_time", "stop_time", "label", "confidence")
CSV_ALL_CHANNELS = "TERM"
"""What stands in the column `channel` of a row about the whole recording."""

BIDS_COLUMNS = ("onset", "duration", "eventType")
"""The columns an events.tsv must have."""
BIDS_EXPORT_COLUMNS = (*BIDS_COLUMNS, "confidence", "channels", "dateTime", "recordingDuration")
BIDS_ALL_CHANNELS = "all"
NOT_SAID = "n/a"

SOURCES = ("csv_bi", "events.tsv", "csv", "summary", "edf_texts")
"""Where labels come from, the most trusted first."""


@dataclass(frozen=True)
class Label:
    """A label of a file in our terms.

    Attributes:
        text: As the file has it.
        label_id: See `LABEL_IDS`. A further label of the params has 14 where it is a seizure, else 0.
    """

    text: str
    label_id: int

    @property
    def is_seizure(self) -> bool:
        """Whether it is epileptic seizure time."""
        return self.label_id in SEIZURE_IDS


def label_of(text: str, extra_labels: Sequence[tuple[str, bool]] = ()) -> Label | None:
    """Return the label of that exact text, or None where nobody said what it means.

    Args:
        text: The label, without blanks around it.
        extra_labels: Further labels, and whether each is a seizure.
    """
    if text in LABEL_IDS:
        return Label(text, LABEL_IDS[text])
    if text.startswith(f"{HED_SEIZURE}_"):
        return Label(text, OTHER_SEIZURE_ID)
    extra = dict(extra_labels)
    if text in extra:
        return Label(text, OTHER_SEIZURE_ID if extra[text] else LABEL_IDS[BACKGROUND])
    return None


def check_extra_labels(extra_labels: Sequence[tuple[str, bool]]) -> None:
    """Refuse further labels that contradict the table or each other.

    Raises:
        ConfigError: `nesz` as a seizure, or one name as both.
    """
    seen: dict[str, bool] = {}
    for name, is_seizure in extra_labels:
        known = label_of(name)
        meant = seen.setdefault(name, is_seizure) if known is None else known.is_seizure
        if meant != is_seizure:
            raise ConfigError(
                f"extra_labels: {name!r} is said to be {_kind(is_seizure)}, but it already is {_kind(meant)}; "
                "take it out of extra_labels"
            )


def _kind(is_seizure: bool) -> str:
    return "a seizure" if is_seizure else "no seizure"
