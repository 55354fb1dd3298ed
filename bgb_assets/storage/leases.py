"""One holder at a time: file locks that the system releases when their process dies.

Belongs here: the lease on a name. Does not belong here: what is done under it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lease(path: Path, *, wait: bool = True, shared: bool = False) -> Iterator[bool]:
    """Hold the lock file at `path`; yields whether it is held (always, when waiting).

    Any number may hold it `shared` at once, while nobody holds it alone. The file stays: removing it would let two
    processes hold two files of one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
