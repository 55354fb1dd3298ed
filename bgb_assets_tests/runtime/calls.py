"""Functions that the executor tests call in workers by import string: well-behaved ones and killers."""

import ctypes
import errno
import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.runtime.errors import BadInput, ContractError, Unstable
from bgb_assets.runtime.monitoring import count

HERE = "bgb_assets_tests.runtime.calls"


def double(number: int) -> int:
    count("doubled")
    return 2 * number


def sleepy_double(number: int) -> int:
    """Later tasks end sooner."""
    time.sleep(0.02 * (5 - number % 6))
    return 2 * number


def pid(_: Any) -> int:
    return os.getpid()


def settings(_: Any) -> dict[str, Any]:
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")
    found: dict[str, Any] = {name: os.environ.get(name) for name in names}
    return found | {"main": getattr(sys.modules["__main__"], "__file__", None), "modules": sorted(sys.modules)}


def occupy(payload: tuple[Path, str, int]) -> None:
    """Write when the call began and ended, on the clock that all processes share."""
    folder, name, cost_bytes = payload
    began_s = time.monotonic()
    time.sleep(0.03)
    (folder / name).write_text(f"{began_s} {time.monotonic()} {cost_bytes}")


def misbehave(how: str) -> str:
    """Return for "fine"; else do what the word says."""
    if how != "fine":
        _MISBEHAVIOUR[how]()
    return how


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(error: BaseException) -> None:
    raise error


def _out_of_memory() -> None:
    np.ones(1 << 50)


_MISBEHAVIOUR = {
    "kill": _kill,
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(3),
    "sys.exit": lambda: sys.exit("done"),
    "memory": _out_of_memory,
    "bad input": lambda: _raise(BadInput("duration is 0 s", "record it again")),
    "no space": lambda: _raise(OSError(errno.ENOSPC, "No space left on device")),
    "contract": lambda: _raise(ContractError("stage returned None")),
    "unstable": lambda: _raise(Unstable("song.egg changed")),
    "bug": lambda: _raise(KeyError("absent")),
    "hang": lambda: time.sleep(600),
}


def talk(name: str) -> None:
    """Write lines in every way there is, in pieces."""
    for piece in ("out", "put ", name, "\n"):
        sys.stdout.write(piece)
    logging.getLogger("stage").warning("record %s", name)
    warnings.warn(f"warning {name}", stacklevel=1)
    os.write(1, f"native {name}\n".encode())


def unpicklable(_: Any) -> Any:
    return lambda: None


def hog(size_bytes: int) -> int:
    """Keep memory after the call."""
    _KEPT.append(np.ones(size_bytes, np.uint8))
    return os.getpid()


_KEPT: list[Any] = []


def sleep_after_saying_who(folder: Path) -> None:
    """Write the numbers of this process and of a child, then sleep in native code that holds the interpreter."""
    child = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
    (folder / f"{os.getpid()}").write_text(str(child.pid))
    ctypes.PyDLL(None).sleep(600)


def sleep_politely(folder: Path) -> None:
    """Write this process's number, sleep, and tidy up when stopped."""
    mark = folder / f"{os.getpid()}"
    mark.write_text("")
    try:
        time.sleep(600)
    finally:
        mark.rename(folder / f"{os.getpid()}-tidied")
