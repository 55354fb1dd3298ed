"""Random numbers that are a pure function of what they are for.

A crop, a mirror or a masked band is drawn from a Philox stream keyed by (seed, epoch, sample, purpose): the same
for any number of workers or ranks, in any order, and after a resume. Philox is counter-based, so that keys which
differ in one bit give independent streams, without hashing them first.

Belongs here: deriving generators and seeds. Does not belong here: what is drawn from them.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Draw:
    """One look at one sample: all that its randomness may depend on.

    Attributes:
        seed: The run's.
        epoch: How often the whole order was gone through before.
        row: The sample's row in the index.
        copy: How often the sample was already drawn in this epoch (weighted orders repeat samples).
    """

    seed: int
    epoch: int
    row: int
    copy: int = 0

    def generator(self, purpose: str) -> np.random.Generator:
        """Return the generator for one purpose: `draw.generator("crop").integers(bars)`."""
        return generator(self.seed, self.epoch, self.row, purpose, self.copy)


def generator(seed: int, epoch: int, sample: int, purpose: str, copy: int = 0) -> np.random.Generator:
    """Return a generator at the start of the stream of (seed, epoch, sample, purpose, copy).

    The first counter word is left to the stream: 2^64 blocks of four numbers before two streams could meet.
    """
    key = np.array([seed & _MASK, _purpose_key(purpose)], np.uint64)
    counter = np.array([0, copy & _MASK, sample & _MASK, epoch & _MASK], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def torch_seed(seed: int, step: int, purpose: str, part: int = 0) -> int:
    """Return a 63-bit seed for torch's generators: dropout of a step is the same after a resume."""
    return int(generator(seed, step, part, purpose).integers(1 << 63))


@lru_cache(maxsize=256)
def _purpose_key(purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big")
