"""Which small outputs share a file: a pure function of the members, so that history leaves no trace.

Every member falls into a binary trie by the hash of its key. A node of the trie is a file as soon as all
that lies below it fits into `max_bytes`; a node that does not fit is cut in two at a place that depends on no
member. So one more member splits at most one file, one less merges at most one group of neighbours, and
every other file stays what it was, letter for letter.

Belongs here: the assignment and the names of the groups. Does not belong here: reading or writing a file.
Next in the flow: `bgb_assets.storage.tables` and `bgb_assets.storage.shards`, which write the groups.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from bgb_assets.runtime.errors import ConfigError, ContractError

_HASH_BITS = 256


@dataclass(frozen=True, order=True)
class Weighted:
    """One member: what it is called, what it holds and how large it is.

    Attributes:
        key: Stable name; decides the place, so that a member whose content changed stays in its file.
        digest: SHA-256 of its content; decides, with the key, whether the file must be written again.
        bytes: What it adds to a file; an upper bound where the exact size is known only after writing.
    """

    key: str
    digest: str
    bytes: int


@dataclass(frozen=True)
class Group:
    """The members of one file.

    Attributes:
        name: Stable name: a number of four or more digits, or `x` and 16 hex digits for a member on its own.
            Numbers have gaps and are not in the order of the keys: a file that splits keeps its number
            for one half, and no other file is renamed.
        digest: SHA-256 over the sorted (key, digest) of the members.
        members: Sorted by key; never empty.
    """

    name: str
    digest: str
    members: tuple[Weighted, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the members, sorted."""
        return tuple(member.key for member in self.members)

    @property
    def bytes(self) -> int:
        """The bytes of all members."""
        return sum(member.bytes for member in self.members)


def assign(members: Iterable[Weighted], target_bytes: int, max_bytes: int) -> list[Group]:
    """Assign members to files; the result depends on the set of members alone, not on order or history.

    A group of two or more members never passes `max_bytes`, and no group is empty. A member of
    `target_bytes` or more is a file by itself; the files of the rest hold, on average over the number of
    members, 0.72 of `max_bytes`.

    Adding a member makes at most one existing group disappear, removing one makes at most one new group
    appear, and a changed member touches only the groups on its own path; this holds for any sizes. The
    groups to write are at most two, unless one half of a group that splits is smaller than the member that
    split it: with no member above `max_bytes / k` (k >= `max_bytes / target_bytes`) the chance of that is
    below 2 exp(-2 k (1/2 - 1/k)^2) per split (Hoeffding), 2e-13 for k = 64.

    Args:
        members: Members with distinct keys, in any order.
        target_bytes: Size from which a member is not worth sharing a file; `1 <= target_bytes <= max_bytes`.
        max_bytes: Bound on the sum of the members' bytes of one file.

    Returns:
        Groups sorted by name.

    Raises:
        ConfigError: The bounds are not `1 <= target_bytes <= max_bytes`.
        ContractError: Two members have one key, or a size is negative.
    """
    if not 1 <= target_bytes <= max_bytes:
        raise ConfigError(
            f"compaction: expected 1 <= target_bytes <= max_bytes, got {target_bytes!r} and {max_bytes!r}; "
            "raise max_bytes or lower target_bytes"
        )
    ordered = _checked(members)
    alone = [member for member in ordered if member.bytes >= target_bytes]
    shared = [member for member in ordered if member.bytes < target_bytes]
    groups = [_group(f"x{_place(member.key):064x}"[:17], [member]) for member in alone]
    groups.extend(_group(name, chunk) for name, chunk in _leaves(shared, max_bytes))
    return sorted(groups, key=lambda group: (len(group.name), group.name))


def _checked(members: Iterable[Weighted]) -> list[Weighted]:
    ordered = sorted(members)
    for before, after in pairwise(ordered):
        if before.key == after.key:
            raise ContractError(f"compaction: two members have the key {after.key!r}; keys must be distinct")
    for member in ordered:
        if member.bytes < 0:
            raise ContractError(f"compaction: member {member.key!r} has {member.bytes!r} bytes, expected 0 or more")
    return ordered


def _place(key: str) -> int:
    """Return where a key lies in the trie: 256 bits, the first decides at the root."""
    return int.from_bytes(hashlib.sha256(b"compaction/1/" + key.encode()).digest())


def _leaves(members: Sequence[Weighted], max_bytes: int) -> Iterator[tuple[str, list[Weighted]]]:
    """Yield (name, members) of the topmost trie nodes that fit into `max_bytes`."""
    placed = sorted((_place(member.key), member) for member in members)
    places = [place for place, _ in placed]
    before = [0, *accumulate(member.bytes for _, member in placed)]
    pending = [(0, len(placed), 0, 0)]
    while pending:
        start, stop, depth, prefix = pending.pop()
        if start == stop:
            continue
        if before[stop] - before[start] <= max_bytes or stop - start == 1:
            yield _leaf_name(depth, prefix), [member for _, member in placed[start:stop]]
            continue
        middle_prefix = prefix * 2 + 1
        middle = bisect_left(places, middle_prefix << (_HASH_BITS - depth - 1), start, stop)
        pending.append((start, middle, depth + 1, prefix * 2))
        pending.append((middle, stop, depth + 1, middle_prefix))


def _leaf_name(depth: int, prefix: int) -> str:
    """Return the node's number: its path read from the leaf to the root.

    Of the two halves of node n at depth d one is n again and the other n + 2^d. No two leaves share a number:
    equal numbers mean that one path begins with the other.
    """
    path = f"{prefix:b}".zfill(depth) if depth else ""
    return f"{int(path[::-1] or '0', 2):04d}"


def _group(name: str, members: Sequence[Weighted]) -> Group:
    ordered = tuple(sorted(members))
    content = hashlib.sha256()
    for member in ordered:
        content.update(f"{len(member.key)}:{member.key}|{member.digest}\n".encode())
    return Group(name, content.hexdigest(), ordered)
