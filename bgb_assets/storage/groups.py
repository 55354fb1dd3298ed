"""Which samples must not be torn apart: merging groups that turned out to be one.

Belongs here: the union of groups over pairs that were found to be the same. Does not belong here: how pairs are
found (a modality knows what "the same recording" means), where they are kept (`pins`).
"""

from collections.abc import Iterable, Mapping


def merge(groups: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return group -> the smallest name among all that pairs connect it with, itself included.

    Pairs may name groups that are not (or no longer) there: they still connect and still give the name, so that
    removing one upload neither tears the others apart nor renames them.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.get(name, name) != name:
            parent[name] = parent.get(parent[name], parent[name])
            name = parent[name]
        return name

    for left, right in pairs:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return {group: root(group) for group in sorted(set(groups))}


def merged_members(merged: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return merged name -> the groups in it, sorted, for those with more than one."""
    members: dict[str, list[str]] = {}
    for group in sorted(merged):
        members.setdefault(merged[group], []).append(group)
    return {name: tuple(found) for name, found in sorted(members.items()) if len(found) > 1}
