"""The worker's side of a local process: receives calls over a pipe, makes them, sends what they gave.

Started by `worker_process.py` with a command line of its own, not by `multiprocessing`, so that the
program which spreads work is never imported again here, whatever it is: `dagster`, `pytest`, `-c`.
Belongs here: what runs in the child before and between calls. Imports nothing heavy: starting one takes
a tenth of a second. Does not belong here: the calls themselves (`executor.call`).
"""

import faulthandler
import fcntl
import io
import logging
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from bgb_assets.runtime import memory
from bgb_assets.runtime.executor import Done, Task, call, failure_of

READY = b"ready"


class Stopped(BaseException):
    """The parent asked this worker to stop; not an `Exception`, so that a call does not swallow it."""


def main(connection_fd: int, lifeline_fd: int, log_level: int) -> None:
    """Serve calls until the parent closes the connection, asks to stop or dies."""
    die_with_parent(lifeline_fd)
    faulthandler.enable()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _raise_stopped)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    logging.basicConfig(level=log_level, format="%(levelname)s %(name)s: %(message)s")
    os.set_inheritable(connection_fd, False)
    connection: Connection[Any, Any] = Connection(connection_fd)
    try:
        serve(connection)
    except Stopped as stop:
        _end_by_signal(stop.args[0])


def die_with_parent(lifeline_fd: int) -> None:
    """Let the kernel end this process as soon as nobody holds the other end of a pipe.

    The parent holds it and never writes, so it closes when the parent ends in whatever way. The signal
    (SIGIO, whose default is to terminate) works inside a long native call, unlike reading the pipe.
    `PR_SET_PDEATHSIG` is not used: it fires when the thread that started the worker ends.
    """
    os.set_inheritable(lifeline_fd, False)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, fcntl.fcntl(lifeline_fd, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        closed_before = os.read(lifeline_fd, 1) == b""
    except BlockingIOError:
        closed_before = False
    if closed_before:
        os._exit(0)


def serve(connection: "Connection[Any, Any]") -> None:
    """Answer each `(fn, task)` with `(Done, anonymous memory after the call)`; return when the parent is gone."""
    connection.send_bytes(READY)
    while True:
        try:
            message = connection.recv_bytes()
            connection.send_bytes(answer(message))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def answer(message: bytes) -> bytes:
    """Make the call that a message asks for; whatever happens there is an answer."""
    task = Task("", None)
    try:
        fn, task = pickle.loads(message)
        del message
        done = call(fn, task)
        return pickle.dumps((done, memory.rss_anon_bytes()), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - a payload or a value that does not pickle is the caller's failure
        return pickle.dumps((Done(task.key, None, failure_of(error), 0.0), 0))


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


def _end_by_signal(number: int) -> None:
    """End as if the signal had not been handled, so that the parent can name it."""
    sys.stdout.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
