"""Reads the objects of a version 4 difficulty, where rows point into lists of shared data.

Belongs here: the field names and indices of version 4; an omitted field or index is 0.
Does not belong here: any rule that holds for all versions (`objects`, `tempo`). The tempo of version 4 lies
in the song's audio data file (`audio_data`), not in the difficulty.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import collection, numbers
from bgb_assets.modalities.beatmap.formats.parsed import Parsed, columns, fake_flags, finish
from bgb_assets.modalities.beatmap.formats.versions import unwrapped
from bgb_assets.runtime.errors import BadInput

Table = dict[str, NDArray[Any]]

_NOTE_DATA = {"x": "x", "y": "y", "color": "c", "cut_direction": "d", "angle_deg": "a"}
_HEAD_DATA = {"x": "x", "y": "y", "color": "c", "cut": "d"}
_TAIL_DATA = {"tail_x": "x", "tail_y": "y", "tail_cut": "d"}
_BOMB_DATA = {"x": "x", "y": "y"}
_WALL_DATA = {"duration_beats": "d", "x": "x", "y": "y", "width": "w", "height": "h"}
_ARC_DATA = {"mult": "m", "tail_mult": "tm", "mid_anchor": "a"}
_CHAIN_DATA = {"tail_x": "tx", "tail_y": "ty", "slices": "c", "squish": "s"}
_ROTATION_DATA = {"late": "t", "degrees": "r"}
_NJS_DATA = {"delta": "d", "easing": "e", "extend": "p"}
_FAKE_COLLECTIONS = {"notes": "fakeColorNotes", "bombs": "fakeBombNotes", "walls": "fakeObstacles"}


def parse_v4(document: Mapping[str, Any], label: str) -> Parsed:
    """Read a version 4 difficulty, whether its collections lie at the top or under `content`.

    Raises:
        BadInput: A collection or an entry has the wrong type, or an index points past its data.
    """
    issues: Counter[str] = Counter()
    source = _Source(unwrapped(document), label)
    tables = {
        "notes": source.objects("notes", "colorNotes", "colorNotesData", _NOTE_DATA),
        "bombs": source.objects("bombs", "bombNotes", "bombNotesData", _BOMB_DATA),
        "walls": source.objects("walls", "obstacles", "obstaclesData", _WALL_DATA),
        "arcs": _arcs(source),
        "chains": _chains(source),
        "njs": source.joined("njsEvents", {"beat": "b"}, (("i", "njsEventData", _NJS_DATA),)),
        "rotations": source.joined("spawnRotations", {"beat": "b"}, (("i", "spawnRotationsData", _ROTATION_DATA),)),
    }
    issues["rotated_objects"] += source.rotated_objects()
    return finish(tables, issues)


def _arcs(source: "_Source") -> Table:
    return source.joined(
        "arcs",
        {"beat": "hb", "tail_beat": "tb"},
        (
            ("hi", "colorNotesData", _HEAD_DATA),
            ("ti", "colorNotesData", _TAIL_DATA),
            ("ai", "arcsData", _ARC_DATA),
        ),
    )


def _chains(source: "_Source") -> Table:
    return source.joined(
        "chains",
        {"beat": "hb", "tail_beat": "tb"},
        (("i", "colorNotesData", _HEAD_DATA), ("ci", "chainsData", _CHAIN_DATA)),
    )


class _Source:
    """The collections of one document, with rows joined to the data they point at."""

    def __init__(self, document: Mapping[str, Any], label: str) -> None:
        self._document = document
        self._label = label

    def objects(self, kind: str, name: str, data_name: str, data_fields: Mapping[str, str]) -> Table:
        """Return a kind that may be fake: its own rows, then those of the custom fake collection."""
        table = self.joined(name, {"beat": "b"}, (("i", data_name, data_fields),))
        table["fake"] = fake_flags(self._rows(name), "customData")
        custom = self._document.get("customData")
        fakes = collection(custom, _FAKE_COLLECTIONS[kind], self._label) if isinstance(custom, Mapping) else []
        if not fakes:
            return table
        where = f"{self._label}: customData.{_FAKE_COLLECTIONS[kind]}"
        more = self._join(fakes, where, {"beat": "b"}, (("i", data_name, data_fields),))
        more["fake"] = np.ones(len(fakes), np.bool_)
        return {column: np.concatenate([table[column], more[column]]) for column in table}

    def joined(
        self, name: str, fields: Mapping[str, str], joins: Sequence[tuple[str, str, Mapping[str, str]]]
    ) -> Table:
        """Return own fields and, for each (index field, data list, data fields), the fields of the data."""
        return self._join(self._rows(name), f"{self._label}: {name}", fields, joins)

    def rotated_objects(self) -> int:
        """Return how many objects carry a lane rotation of their own."""
        keys = (("colorNotes", "r"), ("bombNotes", "r"), ("obstacles", "r"), ("arcs", "hr"), ("chains", "hr"))
        return sum(
            int(np.count_nonzero(numbers(self._rows(name), key, f"{self._label}: {name}"))) for name, key in keys
        )

    def _rows(self, name: str) -> list[Any]:
        return collection(self._document, name, self._label)

    def _join(
        self,
        rows: Sequence[Any],
        where: str,
        fields: Mapping[str, str],
        joins: Sequence[tuple[str, str, Mapping[str, str]]],
    ) -> Table:
        table = columns(rows, fields, where)
        for key, data_name, data_fields in joins:
            data = self._rows(data_name)
            indices = self._indices(rows, key, where, data_name, len(data))
            shared = columns(data, data_fields, f"{self._label}: {data_name}")
            table |= {column: values[indices] for column, values in shared.items()}
        return table

    def _indices(self, rows: Sequence[Any], key: str, where: str, data_name: str, size: int) -> NDArray[np.intp]:
        values = numbers(rows, key, where)
        wrong = np.flatnonzero(~((values >= 0) & (values < size) & (values == np.floor(values))))
        if len(wrong):
            first = int(wrong[0])
            raise BadInput(
                f"{where}[{first}].{key}: index {values[first]:g} into {data_name}, which has {size} entries",
                "fix or remove the difficulty",
            )
        return values.astype(np.intp)
