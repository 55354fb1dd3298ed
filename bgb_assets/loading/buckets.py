"""Batches of similar length: shuffled pools, sorted inside, so that little is padded and order stays random.

With lognormal lengths and batches of 64, random batches are padded 3.5-fold, pools of 50 batches 1.07-fold.

Belongs here: cutting one epoch's samples into batches. Does not belong here: the draw itself (`order`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of an epoch.

    Attributes:
        rows: The samples, batch after batch.
        copies: How often each sample came before in the epoch's draw.
        offsets: Shape (batches + 1,): batch b is `rows[offsets[b]:offsets[b + 1]]`.
    """

    rows: Ids
    copies: Ids
    offsets: Ids

    def __len__(self) -> int:
        return len(self.offsets) - 1


def cut(
    rows: Ids,
    lengths: npt.NDArray[np.integer],
    *,
    batch: int,
    pool_batches: int,
    token_budget: int,
    random: np.random.Generator,
) -> Batches:
    """Cut the drawn rows into batches.

    Rows of an incomplete last batch wait for another epoch, unless there is no other batch. With a token budget
    batches hold at most `batch` rows and pad to at most `token_budget` elements, unless one row alone is longer.

    Args:
        rows: Rows in drawn order, shape (n,).
        lengths: Their lengths, shape (n,).
        batch: Rows in a batch.
        pool_batches: Batches in a pool; 1 leaves the drawn order.
        token_budget: Most rows x longest length in a batch, 0 for no bound.
        random: Shuffles the batches within each pool.
    """
    kept = len(rows) if len(rows) < batch or token_budget else len(rows) - len(rows) % batch
    copies = occurrences(rows[:kept])
    order, sizes = [], []
    for low in range(0, kept, batch * pool_batches):
        pool = np.arange(low, min(low + batch * pool_batches, kept))
        if pool_batches > 1:
            pool = pool[np.argsort(lengths[pool], kind="stable")]
        pieces = np.split(pool, _edges(lengths[pool], batch, token_budget))
        for number in random.permutation(len(pieces)) if pool_batches > 1 else range(len(pieces)):
            order.append(pieces[number])
            sizes.append(len(pieces[number]))
    taken = np.concatenate(order)
    return Batches(rows[taken], copies[taken], np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


def occurrences(rows: Ids) -> Ids:
    """Return for each element how many equal ones come before it, shape (n,)."""
    order = np.argsort(rows, kind="stable")
    ranked = rows[order]
    firsts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(rows) else np.empty(0, np.int64)
    starts = np.repeat(firsts, np.diff(np.append(firsts, len(rows))))
    counts = np.empty(len(rows), np.int64)
    counts[order] = np.arange(len(rows)) - starts
    return counts


def _edges(lengths: npt.NDArray[np.integer], batch: int, token_budget: int) -> list[int]:
    """Return where the batches of one pool begin, but for the first."""
    if token_budget == 0:
        return list(range(batch, len(lengths), batch))
    edges, start, longest = [], 0, 0
    for number, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        full = number - start >= batch or (number - start + 1) * longest > token_budget
        if full and number > start:
            edges.append(number)
            start, longest = number, length
    return edges
