"""Nested deals as files: what was dealt once and committed is the pin of the next deal.

A manifest writes `splits/<name>.json`; a copy of it in `data/pins/<modality>/splits/` belongs into version control.
Groups and their members stand there by name, never by number, one group a line so that a commit shows what was added.
`splits/in_use.json` of the pins names the split in use; without it that is `default`.

Belongs here: the two formats, reading, writing and pinning. Does not belong here: the dealing (`nested_splits`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.runtime.errors import ConfigError, UsageError
from bgb_assets.storage.atomic import write_bytes, write_json
from bgb_assets.storage.digests import as_plain, sha256_json
from bgb_assets.storage.leases import lease
from bgb_assets.storage.nested_splits import Folds, NestedDeal, NestedSplitParams
from bgb_assets.storage.splits import NONE

FOLDER = "splits"
IN_USE_FILE = "in_use.json"
FIRST_NAME = "default"
_VERSION = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class DealtGroup:
    """One group of a split.

    Attributes:
        members: What belongs to it (the visits of a subject), sorted; empty where it was dealt once and is gone.
        stratum: The one it was last dealt in.
    """

    members: tuple[str, ...]
    stratum: str
    folds: Folds


@dataclass(frozen=True)
class SplitFile:
    """A deal with its name and what it was made with."""

    name: str
    params: NestedSplitParams
    outer: int
    groups: Mapping[str, DealtGroup]
    notes: tuple[str, ...] = ()

    @property
    def folds(self) -> dict[str, Folds]:
        """Group -> its folds."""
        return {name: group.folds for name, group in self.groups.items()}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the rest of the file but its notes, which pinning may change."""
        return sha256_json({key: value for key, value in self.to_json().items() if key != "notes"})

    def to_json(self) -> dict[str, Any]:
        """Return the file's content without its digest."""
        groups = {
            name: {
                "members": list(group.members),
                "stratum": group.stratum,
                "outer": group.folds.outer,
                "inner": list(group.folds.inner),
            }
            for name, group in sorted(self.groups.items())
        }
        head = {"version": _VERSION, "name": self.name, "params": as_plain(self.params), "outer": self.outer}
        return {**head, "notes": list(self.notes), "groups": groups}


def make_split(
    name: str,
    params: NestedSplitParams,
    deal: NestedDeal,
    members: Mapping[str, Sequence[str]],
    pinned: SplitFile | None = None,
) -> SplitFile:
    """Return a deal as a file's content; pinned groups that are gone stay, so that they come back where they were."""
    gone = {} if pinned is None else {group: held for group, held in pinned.groups.items() if group not in deal.folds}
    groups = {group: DealtGroup((), held.stratum, held.folds) for group, held in gone.items()}
    for group, folds in deal.folds.items():
        groups[group] = DealtGroup(tuple(sorted(members[group])), deal.strata[group], folds)
    return SplitFile(name, params, deal.outer, dict(sorted(groups.items())), deal.notes)


def write_split(path: Path, split: SplitFile) -> None:
    """Write a split, one group a line."""
    content = split.to_json()
    groups = content.pop("groups")
    head = [f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}" for key, value in content.items()]
    lines = [f"{json.dumps(name)}: {json.dumps(group, sort_keys=True)}" for name, group in groups.items()]
    listed = ",\n  ".join(lines)
    text = ",\n".join([*head, f'"digest": "{split.digest}"', f'"groups": {{\n  {listed}\n}}'])
    write_bytes(path, f"{{{text}}}\n".encode())


def read_split(path: Path) -> SplitFile:
    """Read a split.

    Raises:
        ConfigError: The file is missing, of another form or version, or was changed by hand.
    """
    try:
        content = json.loads(path.read_bytes())
        version = content["version"]
        params = {**content["params"], "strata": tuple(content["params"]["strata"])} if version == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a split file ({error!r}); restore it from version control") from error
    if version != _VERSION:
        raise ConfigError(f"{path}: version {version!r}, this program reads {_VERSION}; update it")
    try:
        groups = {name: _group(held, content["outer"], content["params"]["inner"]) for name, held in _groups(content)}
        split = SplitFile(
            content["name"], NestedSplitParams(**params), content["outer"], groups, tuple(content["notes"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a split file ({error!r}); restore it from version control") from error
    if split.digest != content.get("digest"):
        raise ConfigError(
            f"{path}: the content has digest {split.digest[:12]}, the file says {str(content.get('digest'))[:12]}; "
            "restore it from version control, or deal a new split"
        )
    return split


def name_in_use(pins: Path) -> str:
    """Return the name of the split that a folder of pins says is in use.

    Raises:
        ConfigError: The file that names it is of another form.
    """
    path = pins / FOLDER / IN_USE_FILE
    if not path.is_file():
        return FIRST_NAME
    try:
        name = json.loads(path.read_bytes())["name"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{path}: expected {{"version": 1, "name": "..."}}, got {error!r}') from error
    return _checked_name(name, str(path))


def read_pinned(pins: Path, params: NestedSplitParams) -> SplitFile | None:
    """Return the pinned split in use, or None where nothing is pinned under its name.

    Raises:
        ConfigError: It was dealt with other params; or the file cannot be used.
    """
    path = pins / FOLDER / f"{name_in_use(pins)}.json"
    if not path.is_file():
        return None
    split = read_split(path)
    held, asked = as_plain(split.params), as_plain(params)
    if differ := [f"{name} {held[name]!r}, not {asked[name]!r}" for name in asked if held[name] != asked[name]]:
        raise ConfigError(
            f"{path}: was dealt with {' and '.join(differ)}; set that in the configuration, or deal a new split"
        )
    return split


def pin_split(path: Path, pins: Path, lock: Path) -> bool:
    """Pin the split of a manifest; return whether a file changed.

    Args:
        path: `splits/<name>.json` of the manifest.
        pins: The folder of pin files.
        lock: File of the lease under which the pins are written.

    Raises:
        ConfigError: The split would move groups that are pinned already, or is not the one in use.
    """
    split = read_split(path)
    with lease(lock):
        if split.name != (name := name_in_use(pins)):
            raise ConfigError(f"{path}: is split {split.name!r}, in use is {name!r}; materialize the manifest again")
        target = pins / FOLDER / f"{split.name}.json"
        if target.is_file():
            held = read_split(target)
            if moved := [group for group, folds in held.folds.items() if split.folds.get(group) != folds]:
                raise ConfigError(
                    f"{path}: {len(moved)} groups lie elsewhere than {target} pins them, first {moved[0]!r}; "
                    "materialize the manifest again"
                )
            if held == split:
                return False
        write_split(target, split)
        return True


def start_new(pins: Path, name: str) -> None:
    """Say that a new split is in use: the next manifest deals all groups afresh under its name.

    Raises:
        UsageError: The name is taken, or not of small letters, digits, `-` and `_`.
    """
    if not _NAME.fullmatch(name) or name == Path(IN_USE_FILE).stem:
        raise UsageError(f"a split is named with small letters, digits, - and _, got {name!r}; choose another")
    if (pins / FOLDER / f"{name}.json").exists() or name == name_in_use(pins):
        raise UsageError(f"there is a split {name!r} already; choose another name")
    write_json(pins / FOLDER / IN_USE_FILE, {"version": _VERSION, "name": name})


def _groups(content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(content["groups"].items())


def _group(held: Mapping[str, Any], outer: int, inner: int) -> DealtGroup:
    """Return one group of a file, its folds checked against their numbers."""
    folds = Folds(held["outer"], tuple(held["inner"]))
    fits = (
        0 <= folds.outer < outer
        and len(folds.inner) == outer
        and all(NONE <= fold < inner for fold in folds.inner)
        and all((fold == NONE) == (number == folds.outer) for number, fold in enumerate(folds.inner))
    )
    if not fits:
        raise ValueError(f"folds {folds!r} do not fit {outer} outer and {inner} inner ones")
    return DealtGroup(tuple(held["members"]), held["stratum"], folds)


def _checked_name(name: object, where: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: a split is named with small letters, digits, - and _, got {name!r}")
    return name
