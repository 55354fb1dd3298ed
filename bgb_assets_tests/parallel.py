"""How a test run is spread over the cores of this machine (`pytest -n auto`): by file, the slow ones first.

A file is the smallest piece: its tests may share fixtures, and some run in their order. Files that share something
dearer than themselves are one piece. Belongs here: what runs where and when, and with how many threads. Does not
belong here: fixtures (`conftest`), what is skipped (`skips`).
"""

import os

import pytest

from bgb_assets.runtime.memory import available_bytes, usable_cpus

WORKER_BYTES = 2 << 30
"""What a worker holds at most, with the processes that its tests start."""

TOGETHER = {
    "bgb_assets_tests/e2e/test_browser.py": "the live system",
    "bgb_assets_tests/e2e/test_live.py": "the live system",
}
"""File -> piece: these share a running web UI and daemon, and starting a second one costs more than waiting."""

FIRST = ("bgb_assets_tests/e2e/",)
"""These wait for other processes and clocks, minutes on end: begun last they would leave the other cores idle."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Give each worker, and what it starts, one thread: they have the cores between them already."""
    if config.getoption("numprocesses", None):
        for name in THREADS:
            os.environ.setdefault(name, "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Return what `-n auto` means: the cores that a container grants, not those of its machine."""
    return min(usable_cpus(), max(1, available_bytes() // WORKER_BYTES))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Bring what is to begin first to the front; all else keeps its order."""
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Return what hands out the pieces, in the order of their first tests."""
    from xdist.scheduler import LoadScopeScheduling

    class PieceScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return piece_of(nodeid)

    config.option.loadscopereorder = False
    return PieceScheduling(config, log)


def piece_of(nodeid):
    """Return the name of the piece to which a test belongs."""
    file = nodeid.split("::", 1)[0]
    return TOGETHER.get(file, file)
