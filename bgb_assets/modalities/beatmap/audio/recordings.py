"""Same recording: which songs of a corpus are one recording in several encodes, by their landmarks.

Two songs are one recording where enough of their hashes lie at one distance in time: another encode, level or sample
rate keeps the distance, silence in front or a cut shifts it as a whole.

Belongs here: comparing landmarks, two songs or a whole corpus, and the files that hold those of many songs. Does not
belong here: finding landmarks in sound (`landmarks.py`), what follows for groups and splits (`manifest.py`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.audio.landmarks import LANDMARKS_FILE, SKETCH_HASHES, Landmarks
from bgb_assets.storage.digests import canonical_json

INDEX_FILE = "songs.json"

MIN_VOTES = 20
MIN_SHARE = 0.05
"""Measured with at least 470 hashes in common reach: encodes of one recording, shifted by any time, at the poorest
Vorbis quality or with the start cut off: 51 votes (0.107) or more; unrelated songs played by the same instruments:
8 votes (0.019) or fewer."""

_SONGS_PER_BLOCK = 250
_MAX_NEIGHBOURS = 16
_SONG_BITS, _SHIFT_BITS = 20, 22
"""A million songs, and shifts of a day in both directions: 62 bits of a whole number."""

_SHIFT = np.uint64(32)


@dataclass(frozen=True, order=True)
class Alike:
    """How much two songs have in common.

    Attributes:
        votes: Different hashes that lie at one distance in time, plus or minus a frame.
        share: `votes` over the hashes that both songs could have in common.
        shift_frames: That distance: the first song's frame less the second's.
    """

    votes: int
    share: float
    shift_frames: int

    @property
    def same(self) -> bool:
        """Whether they are one recording."""
        return self.votes >= MIN_VOTES and self.share >= MIN_SHARE


def compare(first: Landmarks, second: Landmarks) -> Alike:
    """Compare two songs; without a hash in common all is 0.

    Both sampled their smallest hashes: they can have in common those up to the lesser of the two largest ones.
    """
    hashes, others = first >> _SHIFT, second >> _SHIFT
    low, high = np.searchsorted(others, hashes, "left"), np.searchsorted(others, hashes, "right")
    counts = high - low
    if not counts.any():
        return Alike(0, 0.0, 0)
    mine = np.repeat(np.arange(len(first)), counts)
    theirs = np.arange(len(mine)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    shifts = _frames(first[mine]) - _frames(second[theirs])
    shift = _most_frequent(shifts)
    votes = len(np.unique(hashes[mine[np.abs(shifts - shift) <= 1]]))
    return Alike(votes, votes / _in_reach(hashes, others), shift)


def find_pairs(songs: Sequence[Landmarks], known: Sequence[int] | None = None) -> Iterator[tuple[int, int, Alike]]:
    """Yield (i, j, how alike), i < j, for the pairs of songs that are one recording, in order.

    Songs with `MIN_VOTES` landmarks in common at one distance are compared. Where a hash occurs in very many songs,
    each counts it with its next 16 in order only: of a recording in hundreds of encodes not every pair is found, but
    all are connected.

    Args:
        songs: The landmarks of each song.
        known: A number for each song; pairs of equal numbers are known already and left out.
    """
    corpus = _by_hash(songs)
    for first in range(0, len(songs), _SONGS_PER_BLOCK):
        for i, j in _candidates(corpus, first, first + _SONGS_PER_BLOCK):
            if known is None or known[i] != known[j]:
                alike = compare(songs[i], songs[j])
                if alike.same:
                    yield i, j, alike


def write_songs_file(out: Path, songs: Iterable[tuple[str, Path]]) -> Mapping[str, Any]:
    """Write the landmarks of many songs, one after the other, and `songs.json` with their names and counts.

    Args:
        out: Existing directory.
        songs: (name, file of landmarks).

    Returns:
        The content of `songs.json`: `names`, `counts`.
    """
    held = [(name, np.load(path)) for name, path in songs]
    np.save(out / LANDMARKS_FILE, np.concatenate([np.zeros(0, "<u8"), *(landmarks for _, landmarks in held)]))
    index = {"names": [name for name, _ in held], "counts": [len(landmarks) for _, landmarks in held]}
    (out / INDEX_FILE).write_bytes(canonical_json(index) + b"\n")
    return index


def read_songs_files(directories: Iterable[Path]) -> dict[str, Landmarks]:
    """Return name -> landmarks from files of `write_songs_file`, mapped in place; names in sorted order."""
    found: dict[str, Landmarks] = {}
    for directory in directories:
        index = json.loads((directory / INDEX_FILE).read_bytes())
        if index["names"]:
            whole = np.asarray(np.load(directory / LANDMARKS_FILE, mmap_mode="r"))
            pieces = np.split(whole, np.cumsum(index["counts"])[:-1])
            found |= dict(zip(index["names"], pieces, strict=True))
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class _Corpus:
    """The landmarks of all songs by hash, then song, then frame; `owners` says whose each is."""

    hashes: NDArray[np.uint32]
    owners: NDArray[np.int32]
    frames: NDArray[np.int32]


def _by_hash(songs: Sequence[Landmarks]) -> _Corpus:
    owners = np.repeat(np.arange(len(songs), dtype=np.int32), [len(landmarks) for landmarks in songs])
    landmarks = np.concatenate([np.zeros(0, np.uint64), *songs])
    hashes = (landmarks >> _SHIFT).astype(np.uint32)
    order = np.argsort(hashes, kind="stable")
    return _Corpus(hashes[order], owners[order], _frames(landmarks).astype(np.int32)[order])


def _candidates(corpus: _Corpus, first: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield (i, j) in order, `first` <= i < `stop`, i < j, with at least `MIN_VOTES` landmarks at one distance."""
    shared = np.concatenate([np.zeros(0, np.int64), *_shared(corpus, first, stop)])
    votes, counts = np.unique(shared, return_counts=True)
    beside = np.zeros(len(counts), np.int64)
    follows = np.diff(votes) == 1
    beside[1:][follows] += counts[:-1][follows]
    beside[:-1][follows] += counts[1:][follows]
    for pair in np.unique(votes[counts + beside >= MIN_VOTES] >> _SHIFT_BITS).tolist():
        yield pair >> _SONG_BITS, pair & ((1 << _SONG_BITS) - 1)


def _shared(corpus: _Corpus, first: int, stop: int) -> Iterator[NDArray[np.int64]]:
    """Yield (song, other song, shift between them) as one number for every two landmarks with one hash."""
    at = np.flatnonzero((corpus.owners >= first) & (corpus.owners < stop))
    for step in range(1, _MAX_NEIGHBOURS + 1):
        at = at[at + step < len(corpus.hashes)]
        at = at[corpus.hashes[at] == corpus.hashes[at + step]]
        if not len(at):
            return
        mine, theirs = corpus.owners[at].astype(np.int64), corpus.owners[at + step].astype(np.int64)
        shifts = corpus.frames[at] - corpus.frames[at + step] + (1 << (_SHIFT_BITS - 1))
        yield (((mine << _SONG_BITS | theirs) << _SHIFT_BITS) | shifts)[mine != theirs]


def _frames(landmarks: Landmarks) -> NDArray[np.int64]:
    frames: NDArray[np.int64] = (landmarks & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return frames


def _most_frequent(shifts: NDArray[np.int64]) -> int:
    """Return the shift with the most values within one frame of it, the least of several."""
    low = int(shifts.min())
    counts = np.bincount(shifts - low)
    return low + int(np.argmax(np.convolve(counts, np.ones(3, np.int64), "same")))


def _in_reach(hashes: Landmarks, others: Landmarks) -> int:
    """Return the lesser number of different hashes that the two samples have up to where both are complete."""
    distinct = [np.unique(one) for one in (hashes, others)]
    full = [int(one[-1]) for one in distinct if len(one) >= SKETCH_HASHES]
    limit = min(full, default=1 << 32)
    return min(int(np.searchsorted(one, limit, "right")) for one in distinct)
