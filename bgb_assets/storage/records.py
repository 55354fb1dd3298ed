"""The record of an entry: `record.json`, written last; a directory without a valid one does not exist.

Belongs here: the record's fields and their JSON. Does not belong here: reading and writing entries (`store`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from bgb_assets.runtime.errors import NewerStore, StoreError
from bgb_assets.storage.digests import sha256_plain

RECORD_FORMAT = 1
RECORD_NAME = "record.json"


@dataclass(frozen=True)
class Output:
    """One file of an entry."""

    bytes: int
    digest: str


@dataclass(frozen=True)
class Record:
    """What an entry is, what it was made of and what lies in it.

    Attributes:
        stage: Stage name; parts carry their stage's.
        parts_of_identity: The JSON of `IdentityParts`; its SHA-256 is `identity`.
        outputs: Relative POSIX path -> size and digest of every file but the record.
        parts: Part name -> identity of the part's own entry.
        members: For a fan-in: upload key -> digest of what the stage read of it.
        evicted: The bytes were dropped to save space; still a hit, remade when the bytes are needed.
        observed: What varies from run to run: durations, library versions, host.
    """

    modality: str
    stage: str
    identity: str
    parts_of_identity: Mapping[str, Any]
    facets: Mapping[str, str]
    outputs: Mapping[str, Output]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    absent: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    evicted: bool = False
    observed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Return the size of the outputs in bytes."""
        return sum(output.bytes for output in self.outputs.values())

    @cached_property
    def is_flat(self) -> bool:
        """Whether all outputs lie in the entry's own directory, so that its mtime shows if one is removed."""
        return not any("/" in name for name in self.outputs)

    @cached_property
    def data_version(self) -> str:
        """Return the digest of the entry's outputs: files, facets and parts, not how they were made."""
        return sha256_plain(
            {
                "outputs": {name: output.digest for name, output in self.outputs.items()},
                "facets": dict(self.facets),
                "parts": dict(self.parts),
                "absent": self.absent,
            }
        )

    def to_bytes(self) -> bytes:
        """Return the record's JSON."""
        value = {
            "format": RECORD_FORMAT,
            "modality": self.modality,
            "stage": self.stage,
            "identity": self.identity,
            "parts_of_identity": self.parts_of_identity,
            "facets": dict(self.facets),
            "outputs": {name: {"bytes": out.bytes, "digest": out.digest} for name, out in self.outputs.items()},
            "metadata": dict(self.metadata),
            "warnings": list(self.warnings),
            "absent": self.absent,
            "references": dict(self.references),
            "parts": dict(self.parts),
            "members": dict(self.members),
            "evicted": self.evicted,
            "observed": dict(self.observed),
        }
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def record_from_bytes(data: bytes, where: str) -> Record:
    """Return the record in some JSON.

    Raises:
        NewerStore: It was written by a later version.
        StoreError: It is damaged.
    """
    try:
        value = orjson.loads(data)
        if value["format"] > RECORD_FORMAT:
            raise NewerStore(
                f"{where}: record format {value['format']!r} is newer than {RECORD_FORMAT}; update bgb_assets"
            )
        outputs = {name: Output(out["bytes"], out["digest"]) for name, out in value["outputs"].items()}
        return Record(
            modality=value["modality"],
            stage=value["stage"],
            identity=value["identity"],
            parts_of_identity=value["parts_of_identity"],
            facets=value["facets"],
            outputs=outputs,
            metadata=value["metadata"],
            warnings=tuple(value["warnings"]),
            absent=value["absent"],
            references=value["references"],
            parts=value["parts"],
            members=value["members"],
            evicted=value["evicted"],
            observed=value["observed"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"{where}: not a valid record ({error!r}); delete the entry's directory to rebuild it"
        ) from error
