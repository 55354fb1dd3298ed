"""A run over several workers: the pieces, and that nothing which is skipped is lost on the way."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bgb_assets_tests import parallel
from bgb_assets_tests.fixtures import REPOSITORY

SKIPPING = "import pytest\n\ndef test_one():\n    pytest.skip('browser absent: none is installed')\n"


def run_of_two_skipping_files(folder: Path, workers: int, required: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as this project does over two files outside of it, each of which skips a test."""
    for name in ("test_a.py", "test_b.py"):
        (folder / name).write_text(SKIPPING)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["BGB_TEST_REQUIRE"] = required
    command = [sys.executable, "-m", "pytest", "-q", "-c", REPOSITORY / "pyproject.toml", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-n", str(workers), folder],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("workers", "required", "status"), [(2, "fixtures", 0), (2, "fixtures browser", 1), (0, "browser", 1)]
)
def test_skips_of_all_workers_are_counted_and_what_is_required_fails(
    tmp_path: Path, workers: int, required: str, status: int
) -> None:
    done = run_of_two_skipping_files(tmp_path, workers, required)
    assert done.returncode == status, done.stdout + done.stderr
    assert "skipped 2: browser absent: none is installed" in done.stdout
    assert ("FAILED: skipped although this machine has it" in done.stdout) == bool(status)


def test_all_that_share_a_live_system_are_one_piece() -> None:
    users = [
        path.relative_to(REPOSITORY).as_posix()
        for path in sorted((REPOSITORY / "bgb_assets_tests").rglob("test_*.py"))
        if re.search(r"\(.*\bshared_live: Live\b", path.read_text("utf-8"))
    ]
    assert users == sorted(parallel.TOGETHER)


def test_a_file_is_never_torn_apart() -> None:
    assert parallel.piece_of("a/test_b.py::C::d[e::f]") == parallel.piece_of("a/test_b.py::g") == "a/test_b.py"
    assert len({parallel.piece_of(f"{file}::test_a") for file in parallel.TOGETHER}) == 1


def test_what_waits_for_others_begins_first() -> None:
    class Item:
        def __init__(self, nodeid: str) -> None:
            self.nodeid = nodeid

    items = [Item(f"bgb_assets_tests/{name}") for name in ("a.py::b", "e2e/c.py::d", "f.py::g", "e2e/h.py::i")]
    parallel.pytest_collection_modifyitems(items)
    assert [item.nodeid[-1] for item in items] == ["d", "i", "b", "g"]
    assert all((REPOSITORY / place).exists() for place in parallel.FIRST)
