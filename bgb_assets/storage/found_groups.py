"""Groups that a manifest found to be one, on their way into the pins: `found_groups.json`.

A manifest does not merge what it finds: it is a function of its uploads and of the pins. It lists the pairs in this
file of its entry; the engine appends them to the pins and makes the manifest again from those. So the manifest in
use knows every pair by its pins, and says the same when it is made from nothing.

Belongs here: the file, and appending it to the pins. Does not belong here: the rules (`pins`), how pairs are found
(a modality), when this is done (`engine.fan_in`).
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from bgb_assets.storage.atomic import write_json
from bgb_assets.storage.leases import lease
from bgb_assets.storage.pins import adopt, read_pins, write_pins
from bgb_assets.storage.splits import SPLIT_NAMES, split_code

FOUND_FILE = "found_groups.json"
_VERSION = 1


def write_found(out: Path, pairs: Iterable[tuple[str, str]], splits: Mapping[str, int]) -> None:
    """List pairs of groups that were found to be one and are not pinned as such; none writes no file.

    Args:
        out: The manifest's directory.
        pairs: The pairs.
        splits: The split of each group in them as long as it is a group of its own.
    """
    found = sorted({(min(pair), max(pair)) for pair in pairs})
    if found:
        named = {group: SPLIT_NAMES[splits[group]] for group in sorted({group for pair in found for group in pair})}
        write_json(out / FOUND_FILE, {"version": _VERSION, "pairs": found, "splits": named})


def has_found(directory: Path) -> bool:
    """Say whether a manifest found groups that its pins do not know."""
    return (directory / FOUND_FILE).is_file()


def append_found(directory: Path, pins: Path, before: Mapping[str, int], lock: Path) -> bool:
    """Append what a manifest found to the pins; return whether a file changed.

    Args:
        directory: The manifest.
        pins: The folder of pin files.
        before: Group -> split of the manifest that was in use until now.
        lock: File of the lease under which the pins are written.

    Raises:
        ConfigError: A pin file is no JSON of the documented form.
    """
    found = json.loads((directory / FOUND_FILE).read_bytes())
    splits = {group: split_code(name) for group, name in found["splits"].items()}
    with lease(lock):
        held = read_pins(pins)
        wanted = adopt(held, [(left, right) for left, right in found["pairs"]], splits, before)
        if wanted == held:
            return False
        write_pins(pins, wanted)
        return True
