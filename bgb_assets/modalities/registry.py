"""Which modalities there are. To add one, write its package and name it here.

Belongs here: the list. Does not belong here: anything that a modality knows.
"""

from bgb_assets.modalities.contract import Modality
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.imports import resolve

NAMES = ("beatmap", "eeg")


def modality(name: str) -> Modality:
    """Return a modality by name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in NAMES:
        raise UsageError(f"no modality {name!r}; there are {', '.join(NAMES)}")
    found = resolve(f"bgb_assets.modalities.{name}:MODALITY")
    assert isinstance(found, Modality)
    return found


def modalities() -> tuple[Modality, ...]:
    """Return all modalities."""
    return tuple(modality(name) for name in NAMES)
