import contextlib
import math
import signal
import threading
import time

import pytest

from bgb_assets.runtime.deadline import TimeIsUp, stopped_after


def test_work_is_stopped_in_the_middle_and_only_then() -> None:
    before = signal.getsignal(signal.SIGALRM)
    started = time.monotonic()
    with pytest.raises(TimeIsUp), stopped_after(0.05):
        time.sleep(30)
    assert time.monotonic() - started < 20
    with stopped_after(60), stopped_after(math.inf):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0), "no alarm is left"
    assert signal.getsignal(signal.SIGALRM) is before


def test_what_catches_errors_does_not_catch_it() -> None:
    with pytest.raises(TimeIsUp), stopped_after(0.05):
        with contextlib.suppress(Exception):
            time.sleep(30)
        pytest.fail("it was taken for an error")


def test_a_limit_that_has_passed_lets_nothing_begin() -> None:
    began = []
    with pytest.raises(TimeIsUp), stopped_after(0.0):
        began.append(True)
    assert not began


def test_in_another_thread_work_runs_to_its_end() -> None:
    ended = []

    def work() -> None:
        with stopped_after(0.01):
            time.sleep(0.05)
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended
