"""The one name of each difficulty and characteristic, whatever way a map spells it.

Belongs here: aliases, ranks, and names that are safe in facets and file names.
Does not belong here: anything that reads a file.
"""

import re

DIFFICULTIES = ("Easy", "Normal", "Hard", "Expert", "ExpertPlus")
RANKS = {name: 2 * index + 1 for index, name in enumerate(DIFFICULTIES)}
CHARACTERISTICS = ("Standard", "OneSaber", "NoArrows", "360Degree", "90Degree", "Legacy", "Lawless", "Lightshow")

_SEPARATORS = re.compile(r"[\s_-]+")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_DIFFICULTY_OF = {name.lower(): name for name in DIFFICULTIES} | {"expert+": "ExpertPlus", "ex+": "ExpertPlus"}
_DIFFICULTY_OF_RANK = {rank: name for name, rank in RANKS.items()}
_CHARACTERISTIC_OF = {name.lower(): name for name in CHARACTERISTICS}


def difficulty_name(name: str, rank: int | None = None) -> str | None:
    """Return the canonical difficulty; by its rank where the name is unknown, None where both are."""
    known = _DIFFICULTY_OF.get(_SEPARATORS.sub("", name).lower())
    return known or _DIFFICULTY_OF_RANK.get(rank or 0)


def characteristic_name(name: str) -> str:
    """Return the canonical characteristic; an unknown one is kept as found."""
    return _CHARACTERISTIC_OF.get(_SEPARATORS.sub("", name).lower(), name)


def safe_name(name: str) -> str:
    """Return a name with every character outside `[A-Za-z0-9_-]` percent-escaped, byte by byte."""
    return _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name)
