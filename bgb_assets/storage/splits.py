"""Train, validation and test by group: the hash split, folds, the stratified dealer, and the check for leaks.

A split is a function of the group's name, so that one more upload moves no other.

Belongs here: pure functions of names. Does not belong here: which samples form a group (`groups`), decisions that
were committed to files (`pins`).
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bgb_assets.runtime.errors import ConfigError, ContractError

TRAIN, VAL, TEST, NONE = 0, 1, 2, -1
SPLIT_NAMES = {TRAIN: "train", VAL: "val", TEST: "test", NONE: "none"}
SPLIT_CODES = {name: code for code, name in SPLIT_NAMES.items() if code != NONE}
_LEAKS_NAMED = 5


@dataclass(frozen=True)
class SplitParams:
    """How groups are dealt; `val` and `test` are shares of all groups, the rest trains.

    Attributes:
        val: Share of the validation split.
        test: Share of the test split.
        folds: Number of folds for cross-validation; 0 for none.
    """

    val: float = 0.1
    test: float = 0.1
    folds: int = 0

    def __post_init__(self) -> None:
        if min(self.val, self.test, self.folds) < 0 or self.val + self.test > 1:
            raise ConfigError(
                f"split: expected shares of 0 or more with a sum of at most 1 and 0 or more folds, "
                f"got val {self.val!r}, test {self.test!r}, folds {self.folds!r}"
            )


def uniform(modality: str, purpose: str, group: str) -> float:
    """Return the group's number in [0, 1): the first 64 bits of SHA-256(`<modality>/<purpose>/1/<group>`) / 2^64."""
    digest = hashlib.sha256(f"{modality}/{purpose}/1/{group}".encode()).digest()
    return min(int.from_bytes(digest[:8]) / 2.0**64, math.nextafter(1.0, 0.0))


def split_of(modality: str, group: str, params: SplitParams) -> int:
    """Return the split code of a group by its hash."""
    u = uniform(modality, "split", group)
    if u < 1 - params.val - params.test:
        return TRAIN
    return VAL if u < 1 - params.test else TEST


def fold_of(modality: str, group: str, params: SplitParams) -> int:
    """Return the fold of a group by its hash; -1 where there are no folds."""
    return int(uniform(modality, "fold", group) * params.folds) if params.folds else -1


def split_code(name: str) -> int:
    """Return the code of a split's name.

    Raises:
        ConfigError: The name is not train, val or test.
    """
    if name not in SPLIT_CODES:
        raise ConfigError(f"split: expected one of {', '.join(SPLIT_CODES)}, got {name!r}")
    return SPLIT_CODES[name]


def deal(
    strata: Mapping[str, str], shares: Sequence[float], salt: str, pinned: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Deal groups into buckets so that every stratum balances, without moving a group that is pinned.

    Strata are dealt in sorted order, the groups of one by SHA-256 of `salt` and name. Each goes to the bucket that
    has the fewest of its stratum for its share; then the fewest in all; then the lowest index. With equal shares
    bucket sizes differ by at most 1 in each stratum, and in all. The result depends on the set of groups only.

    Args:
        strata: Group -> its stratum.
        shares: Share of each bucket, positive; only their ratios count.
        salt: Names this deal, with its seed.
        pinned: Group -> bucket of an earlier deal. Groups that are gone do not count.

    Returns:
        Group -> bucket, for all groups of `strata`.

    Raises:
        ConfigError: No bucket, a share that is not positive, or a pin to a bucket that does not exist.
    """
    dealt = {group: bucket for group, bucket in (pinned or {}).items() if group in strata}
    if not shares or min(shares) <= 0 or any(not 0 <= bucket < len(shares) for bucket in dealt.values()):
        raise ConfigError(
            f"deal: expected positive shares and pins to one of them, got {tuple(shares)!r} and {dealt!r}"
        )
    of_stratum = Counter((strata[group], bucket) for group, bucket in dealt.items())
    in_all = Counter(dealt.values())
    new = sorted(
        (strata[group], hashlib.sha256(f"{salt}{group}".encode()).digest(), group) for group in strata.keys() - dealt
    )
    for stratum, _, group in new:
        bucket = min(range(len(shares)), key=lambda i: (of_stratum[stratum, i] / shares[i], in_all[i] / shares[i], i))
        dealt[group] = bucket
        of_stratum[stratum, bucket] += 1
        in_all[bucket] += 1
    return dealt


def leaks(groups: Iterable[str], splits: Iterable[int]) -> dict[str, tuple[int, ...]]:
    """Return the groups with samples in more than one split, sorted, with those splits. Split -1 does not count."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        if split != NONE:
            found[group].add(int(split))
    return {group: tuple(sorted(codes)) for group, codes in sorted(found.items()) if len(codes) > 1}


def require_no_leak(where: str, groups: Iterable[str], splits: Iterable[int]) -> None:
    """Check that no group is torn apart.

    Args:
        where: Names the stage in the message.
        groups: Group of each sample.
        splits: Split code of each sample.

    Raises:
        ContractError: Names the first groups and their splits.
    """
    found = leaks(groups, splits)
    if not found:
        return
    named = [f"{group!r} in {' and '.join(SPLIT_NAMES[code] for code in found[group])}" for group in found]
    more = f" and {len(named) - _LEAKS_NAMED} more" if len(named) > _LEAKS_NAMED else ""
    raise ContractError(
        f"{where}: {len(found)} groups are in more than one split: {', '.join(named[:_LEAKS_NAMED])}{more}; "
        "give every group one split in data/pins or remove the pin"
    )
