"""Remembers what was read of files that have not changed since, so that the next look opens none of them.

Only a shortcut: with the ledger lost, everything is read again and nothing else differs.
Belongs here: keeping values by file and by the file's signature. Does not belong here: what the values mean.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bgb_assets.modalities.beatmap.formats.identities import canonical_json
from bgb_assets.storage.digests import sha256_bytes, signature

_FORMAT = 1
"""Raise it when what is read of an unchanged file changes."""


class Ledger:
    """What was read of the files of one folder.

    Args:
        work: Where ledgers are kept.
        root: The folder; each has a ledger of its own.
    """

    def __init__(self, work: Path, root: Path) -> None:
        self._path = work / f"ledger.{sha256_bytes(str(root).encode())[:16]}.json"
        self._known = self._load()
        self._kept: dict[str, Any] = {}

    def said(self, path: Path, name: str, read: Callable[[Path], Any]) -> Any:
        """Return `read(path)`, a JSON value, from the ledger where the file is untouched.

        Args:
            path: A file.
            name: What is read of it.
            read: Reads it; what it raises is not kept.
        """
        key, seen = f"{name}:{str(path)!r}", list(signature(path))
        held = self._kept.get(key) or self._known.get(key)
        if held is None or held["signature"] != seen:
            held = {"signature": seen, "value": read(path)}
        self._kept[key] = held
        return held["value"]

    def forget(self) -> None:
        """Keep nothing but what this ledger was asked for: the files of all else are gone."""
        self._known = {}

    def save(self) -> None:
        """Write the ledger, whole or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_bytes(canonical_json({"format": _FORMAT, "files": self._known | self._kept}))
        part.replace(self._path)

    def _load(self) -> dict[str, Any]:
        try:
            document = orjson.loads(self._path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        known = document.get("files") if isinstance(document, dict) and document.get("format") == _FORMAT else None
        return known if isinstance(known, dict) else {}
