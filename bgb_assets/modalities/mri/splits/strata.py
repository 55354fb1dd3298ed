"""Strata of subjects: the bin of the largest lesion, and how the scan was acquired.

Belongs here: from scans to subjects, and which strata are neighbours. Does not belong here: dealing and pinning
(`storage.nested_splits`, `storage.split_files`), the bins (`lesions.bins`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.nested_splits import Neighbour, stratum_name

VOLUME_BIN, ACQUISITION = "volume_bin", "acquisition"
STRATA = (VOLUME_BIN, ACQUISITION)
"""The columns that may make a stratum."""


@dataclass(frozen=True)
class Candidate:
    """A scan that may train.

    Attributes:
        subject: The group.
        session: Its visit.
        volume_mm3: Of the lesion.
        volume_bin: See `lesions.bins`.
    """

    subject: str
    session: str
    volume_mm3: float
    volume_bin: int
    acquisition: str | None


def require_known_strata(columns: Sequence[str]) -> None:
    """Check the columns that make a stratum.

    Raises:
        ConfigError: One is unknown or named twice.
    """
    if set(columns) - set(STRATA) or len(set(columns)) < len(columns):
        raise ConfigError(f"manifest: strata must be of {STRATA!r}, each once, got {tuple(columns)!r}")


def subject_strata(scans: Iterable[Candidate], columns: Sequence[str]) -> dict[str, str]:
    """Return subject -> stratum of its largest lesion; of equal ones, of the first visit by name."""
    largest: dict[str, Candidate] = {}
    for scan in sorted(scans, key=lambda scan: (scan.subject, -scan.volume_mm3, scan.session)):
        largest.setdefault(scan.subject, scan)
    return {subject: _stratum(scan, columns) for subject, scan in largest.items()}


def neighbour_of(scans: Iterable[Candidate], columns: Sequence[str]) -> Neighbour:
    """Return the rule that finds the stratum a rare one is dealt with.

    It is the next volume bin of the same acquisition, the lower one first; else the same bin of another acquisition;
    else the nearest bin, of the same acquisition before another.
    """
    places = {_stratum(scan, columns): (scan.volume_bin, scan.acquisition) for scan in scans}

    def neighbour(stratum: str, others: Sequence[str]) -> str:
        volume_bin, acquisition = places[stratum]

        def apart(other: str) -> tuple[int, int, bool, int, str]:
            other_bin, other_acquisition = places[other]
            bins, same = abs(other_bin - volume_bin), other_acquisition == acquisition
            rank = 0 if same and bins == 1 else 1 if bins == 0 else 2
            return rank, bins, not same, other_bin, other

        return min(others, key=apart)

    return neighbour


def sessions_of(scans: Iterable[Candidate]) -> dict[str, list[str]]:
    """Return subject -> its visits, sorted."""
    found: dict[str, set[str]] = {}
    for scan in scans:
        found.setdefault(scan.subject, set()).add(scan.session)
    return {subject: sorted(sessions) for subject, sessions in sorted(found.items())}


def _stratum(scan: Candidate, columns: Sequence[str]) -> str:
    return stratum_name(columns, [getattr(scan, column) for column in columns])
