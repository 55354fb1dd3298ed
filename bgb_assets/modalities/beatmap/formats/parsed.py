"""What a reader of one file version hands on: objects, tempo events, and what it had to leave out.

Belongs here: the type that `parse_v2`, `parse_v3` and `parse_v4` return, and the `fake` marks they share.
Does not belong here: field names of one version only. Next in the flow: `difficulty` adds the tempo map.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import KINDS, Columns, Objects, checked, numbers


@dataclass(frozen=True)
class Parsed:
    """One difficulty file, read.

    Attributes:
        objects: Canonical objects.
        tempo_beats: Beat of each tempo event of the file, file order.
        tempo_bpms: Tempo of each.
        issues: Reason -> how many values or objects were changed or dropped.
    """

    objects: Objects
    tempo_beats: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    tempo_bpms: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    issues: Mapping[str, int] = field(default_factory=dict)


def finish(
    tables: Mapping[str, Mapping[str, NDArray[Any]]],
    issues: Counter[str],
    tempo: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> Parsed:
    """Check the columns of all kinds and return them with the tempo events; kinds left out are empty."""
    nothing: Mapping[str, NDArray[Any]] = {"beat": np.zeros(0)}
    objects: dict[str, Columns] = {kind: checked(kind, tables.get(kind, nothing), issues) for kind in KINDS}
    counts = dict(sorted((reason, number) for reason, number in issues.items() if number))
    return Parsed(objects, *(tempo or (np.zeros(0), np.zeros(0))), issues=counts)


def columns(rows: Sequence[Any], fields: Mapping[str, str], where: str) -> dict[str, NDArray[Any]]:
    """Return columns of a list of JSON objects.

    Args:
        rows: The objects.
        fields: Column -> field name in the file.
        where: How messages name the list.

    Raises:
        BadInput: An entry cannot be read.
    """
    return {column: numbers(rows, key, where) for column, key in fields.items()}


def fake_flags(rows: Sequence[Any], custom_key: str) -> NDArray[np.bool_]:
    """Say which objects are decoration by their custom data.

    That is `_fake` true, `_interactable` false or `uninteractable` true under `custom_key`.
    """
    return np.fromiter((_is_fake(row.get(custom_key)) for row in rows), np.bool_, len(rows))


def _is_fake(custom: Any) -> bool:
    if not isinstance(custom, dict):  # what JSON gives; Mapping would cost ten times as much for each object
        return False
    return custom.get("_fake") is True or custom.get("_interactable") is False or custom.get("uninteractable") is True
