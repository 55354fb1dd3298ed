"""What our own code says while it works, brought to standard error whoever runs it.

Belongs here: which loggers are heard, and where. Does not belong here: progress (each front end has its own), results.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heard(name: str) -> Iterator[None]:
    """Let what a logger says from INFO on be seen: by the handlers that are there, else as plain lines on stderr.

    Args:
        name: Of the logger; those below it are heard too.
    """
    logger = logging.getLogger(name)
    before, handler = logger.level, None
    if not logger.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        logger.setLevel(before)
        if handler is not None:
            logger.removeHandler(handler)
