"""The parent's side of one local worker: start it, hand it a call, hear from it, end it.

Belongs here: one process and its pipes. Does not belong here: which worker gets which task
(`executor_local.py`) and what happens inside (`worker.py`).
"""

import contextlib
import json
import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import IO

from bgb_assets.runtime import memory
from bgb_assets.runtime.executor import Done, Failure, failure_of
from bgb_assets.runtime.worker import READY

GRACE_S = 2.0
"""A worker that is asked to stop has this long to leave its blocks before it is killed."""
TAIL_LINES = 40
MAX_LINE_BYTES = 1 << 16

_BOOTSTRAP = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from bgb_assets.runtime.worker import main; main(*map(int, sys.argv[2:]))"
)


class WorkerProcess:
    """One worker.

    Attributes:
        in_call: It was sent a call, which it makes as soon as it is ready.
        ready: The process has started and listens.
        calls: Number of tasks it has ended.
        rss_anon_bytes: Anonymous memory it held after the last call.
        deadline_s: When the call in work takes too long, on the monotonic clock; None for never.
    """

    def __init__(self) -> None:
        self.in_call = False
        self.ready = False
        self.calls = 0
        self.rss_anon_bytes = 0
        self.deadline_s: float | None = None
        self._timeout_s: float | None = None
        self._sent_s = time.monotonic()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._start()

    def _start(self) -> None:
        self.connection, theirs = multiprocessing.Pipe(duplex=True)
        their_lifeline, self._lifeline = os.pipe()
        fds = (theirs.fileno(), their_lifeline)
        try:
            self._process = subprocess.Popen(
                _command(*fds),
                pass_fds=fds,
                env=os.environ | memory.worker_environment(),
                # A group of its own: Ctrl-C on the terminal reaches the parent alone, and what the call
                # has started (an ffmpeg, for example) can be ended with the worker.
                process_group=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except BaseException:
            self.connection.close()
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(their_lifeline)
        self._relay = threading.Thread(target=relay_lines, args=(self._process.stdout, self._tail), daemon=True)
        self._relay.start()

    @property
    def pid(self) -> int:
        """Process number, which is its group's number too."""
        return self._process.pid

    def assign(self, message: bytes, timeout_s: float | None) -> None:
        """Send the worker its next call, a pickled `(fn, task)`; one that still starts finds it when it is ready.

        Raises:
            OSError: The worker is dead; the call was not made.
        """
        self.in_call = True
        self._timeout_s = timeout_s
        self._tail.clear()
        self._start_clock()
        self.connection.send_bytes(message)

    def _start_clock(self) -> None:
        self._sent_s = time.monotonic()
        self.deadline_s = None if self._timeout_s is None or not self.ready else self._sent_s + self._timeout_s

    def receive(self) -> Done | None:
        """Take what the worker has sent: a result, or None when it was only the word that it is ready.

        Raises:
            EOFError: The worker is dead.
        """
        try:
            message = self.connection.recv_bytes()
        except OSError as error:
            raise EOFError from error
        if message == READY:
            self.ready = True
            self._start_clock()
            return None
        done, self.rss_anon_bytes = _result(message)
        self.calls += 1
        self.in_call, self.deadline_s = False, None
        return done

    def seconds_in_call(self) -> float:
        """Return how long ago the call in work was sent."""
        return time.monotonic() - self._sent_s

    def tail(self) -> str:
        """Return the last lines that the worker wrote since it got its task."""
        return "".join(self._tail)

    def ask_to_stop(self) -> None:
        """Ask the process to leave: at once if idle, by a signal that ends the call if it has a task."""
        self.connection.close()
        if self.in_call:
            self._signal_group(signal.SIGTERM)

    def end(self, grace_s: float = GRACE_S) -> int:
        """Wait for the process to leave, kill what is left of its group, and return the exit status.

        The end of its output is the end of the process. It is waited for last, because its number, which is
        the group's, could belong to another process afterwards.
        """
        self.connection.close()
        self._relay.join(grace_s)
        self._signal_group(signal.SIGKILL)
        status = self._process.wait()
        self._relay.join(grace_s)
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        return status

    def _signal_group(self, number: int) -> None:
        if self._process.returncode is not None:
            return
        # The group may be empty; macOS says "not permitted" for a group of ended processes.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def end_all(workers: Iterable[WorkerProcess]) -> None:
    """End workers together, within one period of grace."""
    leaving = list(workers)
    for worker in leaving:
        worker.ask_to_stop()
    deadline_s = time.monotonic() + GRACE_S
    for worker in leaving:
        worker.end(max(0.0, deadline_s - time.monotonic()))


def died(status: int, tail: str) -> Failure:
    """Describe a worker that ended while it had a task."""
    if status >= 0:
        reason, remedy = f"its worker process exited with status {status}", "a library ended the process; see the trace"
    else:
        name = _signal_name(-status)
        reason, remedy = f"its worker process was killed by {name}", _SIGNAL_REMEDIES.get(name, _OTHER_SIGNAL_REMEDY)
    return Failure("crash", "WorkerDied", f"{reason}; {remedy}", reason, remedy, tail)


_SIGNAL_REMEDIES = {
    "SIGKILL": "most often memory ran out: lower workers or max_bytes_in_flight, then run again",
    "SIGTERM": "somebody stopped it: run again",
}
_OTHER_SIGNAL_REMEDY = "a native library crashed on this item: run again, and report it with the trace if it recurs"


def relay_lines(output: IO[bytes], tail: "deque[str]") -> None:
    """Pass on what a worker writes, in whole lines, until it ends; remember the last ones.

    Reading goes on when nobody listens any more (`bgb ... | head`): a full pipe would stop the worker.
    """
    with output:
        for line in iter(lambda: output.readline(MAX_LINE_BYTES), b""):
            text = line.decode(errors="replace")
            tail.append(text)
            with contextlib.suppress(ValueError, OSError):
                sys.stderr.write(text if text.endswith("\n") else f"{text}\n")


def _result(message: bytes) -> tuple[Done, int]:
    try:
        done, rss_anon_bytes = pickle.loads(message)
    except Exception as error:  # noqa: BLE001 - a value that cannot be read back is this task's failure
        return Done("", None, failure_of(error), 0.0), 0
    return done, rss_anon_bytes


def _command(connection_fd: int, lifeline_fd: int) -> list[str]:
    warnings = [f"-W{option}" for option in sys.warnoptions]
    level = logging.getLogger().getEffectiveLevel()
    fds = (str(connection_fd), str(lifeline_fd))
    return [
        sys.executable,
        *warnings,
        "-c",
        _BOOTSTRAP,
        json.dumps([str(entry) for entry in sys.path]),
        *fds,
        str(level),
    ]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
