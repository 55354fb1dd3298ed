"""Nested folds by strata: every group is tested in one outer fold, and validated once inside each other one.

For corpora that are too small for a split by hash to balance. A group that was dealt once keeps its folds when its
earlier ones are handed in, whatever comes or goes.

Belongs here: pure functions of names and strata. Does not belong here: one level of dealing (`splits.deal`), the files
that keep a deal (`split_files`), what makes a stratum (a modality).
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.splits import NONE, TEST, TRAIN, VAL, deal

Rare: TypeAlias = Literal["merge", "fewer", "pool", "strict"]
Scheme: TypeAlias = Literal["dealt", "sklearn"]
Neighbour: TypeAlias = Callable[[str, Sequence[str]], str]
"""(a stratum with too few groups, the others, sorted) -> the one it is dealt with."""

_LEAST_FOLDS = 2


@dataclass(frozen=True)
class NestedSplitParams:
    """How groups are dealt into outer folds, and the training set of each into inner ones.

    Attributes:
        outer: Outer folds; each is the test set once.
        inner: Inner folds of each outer training set.
        seed: Of the order in which groups are dealt.
        strata: Columns whose values make a stratum; none: all groups are one.
        rare: What happens to a stratum with fewer groups than outer folds: `merge` with a neighbour, `fewer` outer
            folds, `pool` all strata into one, or `strict`: refuse.
        scheme: `dealt`, or `sklearn`: StratifiedKFold over sorted names, for comparison with published work.
    """

    outer: int = 3
    inner: int = 3
    seed: int = 42
    strata: tuple[str, ...] = ()
    rare: Rare = "merge"
    scheme: Scheme = "dealt"

    def __post_init__(self) -> None:
        if min(self.outer, self.inner) < _LEAST_FOLDS:
            raise ConfigError(f"split: expected 2 or more folds, got outer {self.outer!r} and inner {self.inner!r}")
        for name, value, allowed in (("rare", self.rare, Rare), ("scheme", self.scheme, Scheme)):
            if value not in get_args(allowed):
                raise ConfigError(f"split: {name} must be one of {', '.join(get_args(allowed))}, got {value!r}")


@dataclass(frozen=True)
class Folds:
    """Where one group is.

    Attributes:
        outer: The outer fold that tests it.
        inner: For each outer fold, the inner fold of its training set; -1 where the group is tested.
    """

    outer: int
    inner: tuple[int, ...]

    def split(self, outer: int, inner: int = 0) -> int:
        """Return the split code when outer fold `outer` is the test set and `inner` the validation set."""
        if self.outer == outer:
            return TEST
        return VAL if self.inner[outer] == inner else TRAIN


@dataclass(frozen=True)
class NestedDeal:
    """All groups with their folds.

    Attributes:
        outer: Outer folds that were dealt; fewer than asked for under `rare="fewer"`.
        folds: Group -> its folds.
        strata: Group -> the stratum it was dealt in, after rare ones were handled.
        notes: What was done about rare strata, in sentences.
    """

    outer: int
    folds: Mapping[str, Folds]
    strata: Mapping[str, str]
    notes: tuple[str, ...]


def stratum_name(columns: Sequence[str], values: Sequence[object]) -> str:
    """Return the name of a stratum: `volume_bin=2 acquisition=space_2x`; null is `n/a`."""
    pairs = zip(columns, values, strict=True)
    return " ".join(f"{column}={'n/a' if value is None else value}" for column, value in pairs)


def deal_nested(
    strata: Mapping[str, str],
    params: NestedSplitParams,
    neighbour: Neighbour,
    pinned: Mapping[str, Folds] | None = None,
) -> NestedDeal:
    """Deal groups into outer folds, then each outer training set into inner ones.

    Each level is `splits.deal` with equal shares and the salt `<seed>|<level>|`, level `outer` or `inner_<k>`: fold
    sizes differ by at most 1 per stratum and overall where nothing is pinned.

    Args:
        strata: Group -> its stratum.
        params: See `NestedSplitParams`.
        neighbour: Which stratum a rare one is merged into.
        pinned: Group -> folds of an earlier deal, kept as they are; groups that are gone do not count. Their number of
            outer folds holds. Groups that scheme `sklearn` did not know are dealt.

    Raises:
        ConfigError: Rare strata where they are refused or cannot be dealt; too few groups for scikit-learn.
    """
    pinned = pinned or {}
    asked = len(next(iter(pinned.values())).inner) if pinned else params.outer
    held, outer, notes = _without_rare(strata, asked, params.rare, neighbour, fixed=bool(pinned))
    if params.scheme == "sklearn" and (late := sorted(held.keys() - pinned.keys())) and pinned:
        notes.append(f"{len(late)} groups came after scikit-learn's deal was pinned and were dealt by hash")
    outer_of = _level(held, outer, "outer", params, {group: folds.outer for group, folds in pinned.items()})
    inner_of = []
    for fold in range(outer):
        training = {group: stratum for group, stratum in held.items() if outer_of[group] != fold}
        known = {group: folds.inner[fold] for group, folds in pinned.items() if group in training}
        inner_of.append(_level(training, params.inner, f"inner_{fold}", params, known))
    folds = {group: Folds(outer_of[group], tuple(one.get(group, NONE) for one in inner_of)) for group in sorted(held)}
    return NestedDeal(outer, folds, held, tuple(notes))


def _without_rare(
    strata: Mapping[str, str], outer: int, rare: Rare, neighbour: Neighbour, *, fixed: bool
) -> tuple[dict[str, str], int, list[str]]:
    """Return the strata to deal in, the number of outer folds, and what was done."""
    sizes = Counter(strata.values())
    few = {name: count for name, count in sorted(sizes.items()) if count < outer}
    if not few:
        return dict(strata), outer, []
    said = ", ".join(f"{name!r} has {count}" for name, count in few.items())
    if rare == "strict":
        raise ConfigError(
            f"split: {outer} folds need {outer} groups of each stratum, {said}; "
            "add uploads, or set rare to merge, fewer or pool"
        )
    if rare == "merge":
        held, notes = _merged(strata, outer, neighbour)
        return held, outer, notes
    if rare == "pool":
        return dict.fromkeys(strata, "all"), outer, [f"strata were pooled: {said}, {outer} folds need {outer}"]
    if fixed:
        return dict(strata), outer, [f"{outer} outer folds are pinned although {said}"]
    if min(few.values()) < _LEAST_FOLDS:
        raise ConfigError(f"split: no fewer than 2 outer folds can be dealt, but {said}; set rare to merge or pool")
    return dict(strata), min(few.values()), [f"{min(few.values())} outer folds instead of {outer}: {said}"]


def _merged(strata: Mapping[str, str], least: int, neighbour: Neighbour) -> tuple[dict[str, str], list[str]]:
    """Merge the smallest stratum into its neighbour until none is rare, or one is left."""
    held = dict(strata)
    notes: list[str] = []
    while True:
        sizes = Counter(held.values())
        count, name = min((count, name) for name, count in sizes.items())
        if count >= least or len(sizes) == 1:
            return held, notes
        target = neighbour(name, sorted(sizes.keys() - {name}))
        held = {group: target if stratum == name else stratum for group, stratum in held.items()}
        notes.append(f"stratum {name!r} has {count} groups, {least} folds need {least}: dealt with {target!r}")


def _level(
    strata: Mapping[str, str], folds: int, level: str, params: NestedSplitParams, pinned: Mapping[str, int]
) -> dict[str, int]:
    if params.scheme == "sklearn" and not pinned and strata:
        return _by_sklearn(strata, folds, params.seed)
    return deal(strata, [1.0] * folds, f"{params.seed}|{level}|", pinned)


def _by_sklearn(strata: Mapping[str, str], folds: int, seed: int) -> dict[str, int]:
    """Return group -> the test fold of `StratifiedKFold(folds, shuffle=True, random_state=seed)` on sorted names."""
    try:
        from sklearn.model_selection import StratifiedKFold
    except ImportError as error:
        raise ConfigError(
            "split: scheme 'sklearn' needs scikit-learn; `pip install scikit-learn`, or set scheme to dealt"
        ) from error
    names = sorted(strata)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    found: dict[str, int] = {}
    with warnings.catch_warnings():
        # A stratum below the number of inner folds was named already, where it was handled.
        warnings.filterwarnings("ignore", message="The least populated class")
        try:
            for fold, (_, tested) in enumerate(splitter.split(names, [strata[name] for name in names])):
                found |= {names[int(place)]: fold for place in tested}
        except ValueError as error:
            raise ConfigError(f"split: scikit-learn cannot deal {len(names)} groups ({error}); add uploads") from error
    return found
