"""Decisions that were committed to files, and how they meet new uploads.

`data/pins/<modality>/` holds small JSON files that belong into version control: `splits.json` (group -> split, in the
order of pinning), `folds.json` (group -> fold), `groups.json` (pairs of groups found to be one) and `not_same.json`
(pairs that a person says are not one, whatever was found). They are inputs of the manifest: what was decided once
stays decided, and a merge across splits is reported, never silently moved.

Belongs here: the files and the rules of precedence. Does not belong here: the hash split and the dealer (`splits`),
finding pairs (a modality).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.atomic import write_bytes
from bgb_assets.storage.groups import merge
from bgb_assets.storage.splits import NONE, SPLIT_NAMES, TEST, SplitParams, split_code, split_of

SPLITS_FILE, FOLDS_FILE, GROUPS_FILE, NOT_SAME_FILE = "splits.json", "folds.json", "groups.json", "not_same.json"
_VERSION = 1


@dataclass(frozen=True)
class Pins:
    """What is pinned for one modality.

    Attributes:
        splits: Group -> split code; the order of the keys is the order of pinning.
        folds: Group -> fold.
        pairs: Pairs of groups that were found to be one, in the order of finding.
        not_same: Pairs of groups that are not one although they are found to be. A chain of other pairs may still
            connect them.
    """

    splits: Mapping[str, int] = field(default_factory=dict)
    folds: Mapping[str, int] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    not_same: tuple[tuple[str, str], ...] = ()

    @property
    def same(self) -> tuple[tuple[str, str], ...]:
        """The pairs that count."""
        return tuple(pair for pair in self.pairs if not self.denies(*pair))

    def denies(self, left: str, right: str) -> bool:
        """Say whether a person said that two groups are not one."""
        return (left, right) in self.not_same or (right, left) in self.not_same


@dataclass(frozen=True, order=True)
class Move:
    """A pinned group that a merge or a source's own split put elsewhere: `group` was `pinned`, is now `split`."""

    group: str
    merged: str
    pinned: str
    split: str


@dataclass(frozen=True)
class Decision:
    """The split of every sample.

    Attributes:
        groups: Merged group of each sample.
        splits: Split code of each sample; -1 where there is a conflict.
        conflicts: Whether the sample must be left out as `split_conflict`.
        moves: Pinned groups whose split is another now, sorted. Those pinned to test are conflicts instead.
    """

    groups: tuple[str, ...]
    splits: tuple[int, ...]
    conflicts: tuple[bool, ...]
    moves: tuple[Move, ...]


def decide(
    modality: str, groups: Sequence[str], own_splits: Sequence[int], pins: Pins, params: SplitParams
) -> Decision:
    """Give every sample its split.

    Groups that pairs connect are merged. A merged group's split is its source's own, else that of its
    earliest-pinned member, else by hash. If sources disagree within a group, test wins over val and val over
    train. Left out as a conflict: a sample whose own split is another than its group's, and a group that is
    pinned to test where the merged group is not: nothing moves out of test.

    Args:
        modality: Salt of the hash.
        groups: Group of each sample, before merging.
        own_splits: Split code of each sample as its source gave it; -1 for none.
        pins: What was decided earlier.
        params: Shares of the splits.
    """
    merged = merge(groups, pins.same)
    winners = {name: split_of(modality, name, params) for name in set(merged.values())}
    for group in reversed([group for group in pins.splits if group in merged]):
        winners[merged[group]] = pins.splits[group]
    winners |= _own_winners(merged, groups, own_splits)
    torn = {group for group in merged if pins.splits.get(group) == TEST and winners[merged[group]] != TEST}
    conflicts = tuple(
        group in torn or own not in (NONE, winners[merged[group]])
        for group, own in zip(groups, own_splits, strict=True)
    )
    splits = tuple(
        NONE if conflict else winners[merged[group]] for group, conflict in zip(groups, conflicts, strict=True)
    )
    moves = tuple(_moves(merged, winners, pins, torn))
    return Decision(tuple(merged[group] for group in groups), splits, conflicts, moves)


def extend(pins: Pins, splits: Mapping[str, int], pairs: Iterable[tuple[str, str]] = ()) -> Pins:
    """Return the pins with what is new appended, in sorted order; nothing that was pinned changes."""
    new_splits = {group: splits[group] for group in sorted(splits) if group not in pins.splits}
    known = {tuple(sorted(pair)) for pair in pins.pairs}
    new_pairs = sorted({(min(pair), max(pair)) for pair in pairs} - known)
    return replace(pins, splits={**pins.splits, **new_splits}, pairs=(*pins.pairs, *new_pairs))


def adopt(pins: Pins, pairs: Iterable[tuple[str, str]], splits: Mapping[str, int], before: Mapping[str, int]) -> Pins:
    """Return the pins with pairs that were just found, and with the split of every group in them.

    A group that was there before keeps its split and is pinned ahead of the newcomers, which take the split of
    the group they join: of its earliest-pinned member, else of its smallest name.

    Args:
        pins: What was decided earlier.
        pairs: Pairs of groups found to be one.
        splits: The split of each group in `pairs` as long as it is a group of its own.
        before: Group -> split of the manifest that was in use until now, by the names that groups had in it.
    """
    found = sorted({(min(pair), max(pair)) for pair in pairs})
    named = sorted({group for pair in found for group in pair})
    names_before = merge(named, pins.same)
    earlier = {group: before.get(names_before[group], NONE) for group in named}
    pins = extend(pins, {group: split for group, split in earlier.items() if split != NONE}, found)
    merged = merge([*named, *pins.splits], pins.same)
    winners = {merged[group]: splits[group] for group in reversed(named)}
    winners |= {merged[group]: pins.splits[group] for group in reversed(list(pins.splits))}
    return extend(pins, {group: winners[merged[group]] for group in named})


def read_pins(directory: Path) -> Pins:
    """Read the pin files of one modality; a missing file or directory pins nothing.

    Raises:
        ConfigError: A file is no JSON of the documented form; the message names it.
    """
    splits = _read_pairs(directory / SPLITS_FILE, str)
    folds = _read_pairs(directory / FOLDS_FILE, int)
    pairs, not_same = (_read_pairs(directory / name, str) for name in (GROUPS_FILE, NOT_SAME_FILE))
    return Pins(
        {group: split_code(name) for group, name in _unique(directory / SPLITS_FILE, splits).items()},
        _unique(directory / FOLDS_FILE, folds),
        tuple(pairs),
        tuple(not_same),
    )


def write_pins(directory: Path, pins: Pins) -> None:
    """Write the pin files, one pin a line so that a commit shows what was added; nothing pinned writes no file.

    What only a person writes, `not_same.json`, is left alone.
    """
    named = [(group, SPLIT_NAMES[code]) for group, code in pins.splits.items()]
    for name, pairs in ((SPLITS_FILE, named), (FOLDS_FILE, list(pins.folds.items())), (GROUPS_FILE, list(pins.pairs))):
        if pairs:
            lines = ",\n".join(f"  {json.dumps(pair, ensure_ascii=False)}" for pair in pairs)
            write_bytes(directory / name, f'{{"version": {_VERSION}, "pins": [\n{lines}\n]}}\n'.encode())


def _own_winners(merged: Mapping[str, str], groups: Sequence[str], own_splits: Sequence[int]) -> dict[str, int]:
    """Return merged group -> the strictest split (test, val, train) that a source gave one of its samples."""
    winners: dict[str, int] = {}
    for group, own in zip(groups, own_splits, strict=True):
        if own != NONE:
            winners[merged[group]] = max(own, winners.get(merged[group], own))
    return winners


def _moves(merged: Mapping[str, str], winners: Mapping[str, int], pins: Pins, torn: set[str]) -> list[Move]:
    return sorted(
        Move(group, merged[group], SPLIT_NAMES[pinned], SPLIT_NAMES[winners[merged[group]]])
        for group, pinned in pins.splits.items()
        if group in merged and group not in torn and winners[merged[group]] != pinned
    )


def _read_pairs(path: Path, kind: type) -> list[tuple[str, Any]]:
    """Return the pairs of one file: `{"version": 1, "pins": [["group", value], ...]}`."""
    if not path.is_file():
        return []
    try:
        value = json.loads(path.read_bytes())
        pairs = [(left, right) for left, right in value["pins"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{path}: expected {{"version": 1, "pins": [[group, value], ...]}}, got {error!r}') from error
    if value.get("version") != _VERSION:
        raise ConfigError(f"{path}: version {value.get('version')!r}, this program reads {_VERSION}; update it")
    for pair in pairs:
        if not isinstance(pair[0], str) or type(pair[1]) is not kind:
            raise ConfigError(f"{path}: expected a pair of str and {kind.__name__}, got {pair!r}; correct the line")
    return pairs


def _unique(path: Path, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for group, value in pairs:
        if group in found:
            raise ConfigError(f"{path}: {group!r} is pinned twice, to {found[group]!r} and {value!r}; keep the first")
        found[group] = value
    return found
