"""Heads: the newest entry of each fan-in stage and model variant, and the one before it.

What uploads are for per-upload stages, heads are for the others: the start of what is live.
Belongs here: reading and moving heads. Does not belong here: what a stage makes.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from bgb_assets.storage.atomic import write_json
from bgb_assets.storage.layout import Layout
from bgb_assets.storage.leases import lease


@dataclass(frozen=True)
class Head:
    """The entry that a stage (`manifest`, `tokens`, `model/<variant>`) has now.

    Attributes:
        moved_s: When the head came to this identity, seconds since 1970.
    """

    identity: str
    previous: str | None = None
    moved_s: float = 0.0


class Heads:
    """The heads of one modality.

    Args:
        path: A JSON file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> Mapping[str, Head]:
        """Return every head by name."""
        try:
            value = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        return {name: Head(**head) for name, head in value.items()}

    def get(self, name: str) -> Head | None:
        """Return one head."""
        return self.all().get(name)

    def move(self, name: str, identity: str) -> None:
        """Point a head at an entry; nothing is written where it points there already."""
        with lease(self._path.with_suffix(".lock")):
            heads = dict(self.all())
            held = heads.get(name)
            if held is not None and held.identity == identity:
                return
            heads[name] = Head(identity, held.identity if held else None, time.time())
            write_json(self._path, {key: asdict(head) for key, head in heads.items()})

    def drop(self, name: str) -> None:
        """Forget a head: its entries are orphans from now on."""
        with lease(self._path.with_suffix(".lock")):
            heads = {key: asdict(head) for key, head in self.all().items() if key != name}
            write_json(self._path, heads)


def heads_of(layout: Layout, modality: str) -> Heads:
    """Return the heads of a modality."""
    return Heads(layout.state / "heads" / f"{modality}.json")
