import subprocess
import sys
from datetime import UTC, datetime

import pytest

from bgb_assets.modalities.beatmap.sources.beatsaver_ledger import LEDGER_FILE, Ledger
from bgb_assets.runtime.errors import ResourceError

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def test_cursors_and_offers_stay(tmp_path):
    with Ledger(tmp_path / "new") as ledger:
        assert ledger.cursor("top") is None
        ledger.note("a", {"2": "x", "1": "y"}, {"top": NOW})
        ledger.note("b", {"3": "z"}, {})
    with Ledger(tmp_path / "new") as ledger:
        assert ledger.cursor("top") == NOW
        assert ledger.offered("a") == {"1": "y", "2": "x"}
        assert ledger.offered("b") == {"3": "z"}


def test_a_newer_version_takes_the_place(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.note("a", {"1": "x"}, {})
        ledger.note("a", {"1": "y"}, {})
        assert ledger.offered("a") == {"1": "y"}


def test_what_is_gone_is_no_longer_waited_for_until_it_comes_back(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.note("a", {"1": "x"}, {})
        ledger.note("b", {"1": "x", "2": "y"}, {})
        ledger.note_gone(["1", "7"], {"deleted": NOW})
        assert ledger.gone() == {"1", "7"}
        assert (ledger.offered("a"), ledger.offered("b")) == ({}, {"2": "y"})
        assert ledger.cursor("deleted") == NOW
        ledger.note("a", {"1": "x"}, {})
        assert ledger.gone() == {"7"}


def test_cursors_are_forgotten_by_name(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.note("a", {"1": "x"}, {"top": NOW, "down": NOW})
        ledger.forget("top")
        assert (ledger.cursor("top"), ledger.cursor("down")) == (None, NOW)
        assert ledger.offered("a") == {"1": "x"}


def test_a_page_is_noted_with_its_cursor_or_not_at_all(tmp_path):
    """A process that dies between the two statements of a note leaves neither."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from bgb_assets.modalities.beatmap.sources import beatsaver_ledger as module\n"
        "module._move = lambda *_: os.kill(os.getpid(), 9)\n"
        "module.Ledger(Path(sys.argv[1])).note('a', {'1': 'x'}, {})"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    with Ledger(tmp_path) as ledger:
        assert ledger.offered("a") == {}


def test_a_damaged_file_is_named_with_the_remedy(tmp_path):
    (tmp_path / LEDGER_FILE).write_bytes(b"no database" * 100)
    with pytest.raises(ResourceError, match=r"ledger\.sqlite: .*remove the file to begin again"):
        Ledger(tmp_path)
