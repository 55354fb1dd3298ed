"""A block of work that stops at a deadline, in the middle of whatever it does.

For work that survives a kill at any instant and goes on from there. Belongs here: the alarm. Does not belong here: what
is stopped, and what is left to do.
"""

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeIsUp(BaseException):
    """The deadline has come. No error: nothing that catches errors on the way may take it for one."""


@contextmanager
def stopped_after(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUp` in the block once it has run so long; never where `seconds` is infinite.

    Outside a process's main thread no alarm can be heard: the block then runs to its end.
    """
    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return
    if seconds <= 0:
        raise TimeIsUp
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ring(number: int, frame: FrameType | None) -> None:
    raise TimeIsUp
