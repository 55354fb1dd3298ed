import subprocess
import sys
import time
from pathlib import Path

import pytest

from bgb_assets.storage.leases import lease

HOLD = (
    "import sys, time; from pathlib import Path; from bgb_assets.storage.leases import lease\n"
    "with lease(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(float(sys.argv[2]))"
)


def hold(path: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_only_one_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with lease(path) as held, lease(path, wait=False) as other:
        assert (held, other) == (True, False)
    with lease(path, wait=False) as again:
        assert again


def test_many_share_it_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lease(path, shared=True), lease(path, shared=True, wait=False) as second, lease(path, wait=False) as alone:
        assert (second, alone) == (True, False)


def test_loser_waits_for_the_other_process(tmp_path: Path) -> None:
    with hold(tmp_path / "lock", 1.0) as process:
        started = time.monotonic()
        with lease(tmp_path / "lock"):
            assert process.wait() == 0
        assert time.monotonic() - started > 0.1


def test_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with hold(tmp_path / "lock", 60) as process:
        with lease(tmp_path / "lock", wait=False) as held:
            assert not held
        process.kill()
        process.wait()
        with lease(tmp_path / "lock", wait=False) as held:
            assert held


def test_error_inside_passes_and_frees(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError, match="of the body"), lease(tmp_path / "lock"):
        raise BlockingIOError("of the body")
    with lease(tmp_path / "lock", wait=False) as held:
        assert held
