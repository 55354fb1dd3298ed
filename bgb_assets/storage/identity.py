"""What makes a stage's result what it is, and how two such identities differ.

The identity of an entry is the SHA-256 of its *parts*: stage, code version, params and the content facets
the stage reads. Never a path, a time, a list position or a library version.
Belongs here: building and comparing the parts. Does not belong here: where entries lie (`store`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgb_assets.storage.digests import as_plain, sha256_plain

IDENTITY_FORMAT = 1
SHORT = 12


@dataclass(frozen=True)
class IdentityParts:
    """All that decides an entry.

    Attributes:
        stage: `<stage>/<modality>`, with `/<part>` kind for parts.
        code_version: The stage's declared version.
        params: Plain JSON, all fields.
        facets: Facet name -> digest, exactly those the stage declares.
    """

    stage: str
    code_version: str
    params: Any
    facets: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the parts as stored in a record."""
        return {
            "format": IDENTITY_FORMAT,
            "stage": self.stage,
            "code_version": self.code_version,
            "params": as_plain(self.params),
            "facets": dict(self.facets),
        }

    def digest(self) -> str:
        """Return the identity: 64 hex digits."""
        return sha256_plain(self.as_json())


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say in words where two identities' parts differ: `params.n_mels 80 -> 96`.

    Args:
        old: The parts of the entry that exists, as stored in its record.
        new: The parts of the entry that is wanted.
    """
    lines: list[str] = []
    if old["stage"] != new["stage"]:
        lines.append(f"stage {old['stage']} -> {new['stage']}")
    if old["code_version"] != new["code_version"]:
        lines.append(f"code_version {old['code_version']} -> {new['code_version']}")
    lines += _compare("params", old["params"], new["params"])
    lines += _compare_facets(old["facets"], new["facets"])
    return lines


def _compare(path: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        lines = []
        for key in sorted({*old, *new}):
            lines += _compare(f"{path}.{key}", old.get(key, "(absent)"), new.get(key, "(absent)"))
        return lines
    return [] if old == new else [f"{path} {old} -> {new}"]


def _compare_facets(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    lines = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if before is None:
            lines.append(f"{name} appeared ({_short(after)})")
        elif after is None:
            lines.append(f"{name} disappeared (was {_short(before)})")
        else:
            lines.append(f"{name} {_short(before)} -> {_short(after)}")
    return lines


def _short(digest: str | None) -> str:
    return f"{digest[:SHORT]}..." if digest and len(digest) > SHORT else str(digest)
