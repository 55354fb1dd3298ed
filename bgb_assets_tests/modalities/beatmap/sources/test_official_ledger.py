import os
from pathlib import Path

import pytest

from bgb_assets.modalities.beatmap.sources.official_ledger import Ledger
from bgb_assets.runtime.errors import BadInput


class Reader:
    """Reads a file's text and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, path: Path) -> str:
        self.calls += 1
        return path.read_text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("first")
    return path


def test_an_untouched_file_is_read_once_also_by_the_next_ledger(file: Path, tmp_path: Path) -> None:
    read = Reader()
    for _ in range(2):
        ledger = Ledger(tmp_path / "work", tmp_path)
        assert [ledger.said(file, "text", read) for _ in range(2)] == ["first", "first"]
        ledger.save()
    assert read.calls == 1


def test_what_is_read_of_a_file_has_a_name(file: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "work", tmp_path)
    assert ledger.said(file, "text", Reader()) == "first"
    assert ledger.said(file, "bytes", lambda path: path.stat().st_size) == 5


def test_a_changed_file_is_read_again_also_with_its_old_time(file: Path, tmp_path: Path) -> None:
    ledger, read = Ledger(tmp_path / "work", tmp_path), Reader()
    ledger.said(file, "text", read)
    before = file.stat()
    file.write_text("other")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ledger.said(file, "text", read) == "other"


def test_each_folder_has_a_ledger_of_its_own(file: Path, tmp_path: Path) -> None:
    for root in ("one", "two"):
        ledger = Ledger(tmp_path / "work", tmp_path / root)
        ledger.said(file, "text", Reader())
        ledger.forget()
        ledger.save()
    read = Reader()
    Ledger(tmp_path / "work", tmp_path / "one").said(file, "text", read)
    assert read.calls == 0


def test_what_was_not_asked_for_stays_until_it_is_forgotten(file: Path, tmp_path: Path) -> None:
    def later(forget: bool) -> int:
        ledger = Ledger(tmp_path / "work", tmp_path)
        if forget:
            ledger.forget()
        ledger.save()
        read = Reader()
        Ledger(tmp_path / "work", tmp_path).said(file, "text", read)
        return read.calls

    first = Ledger(tmp_path / "work", tmp_path)
    first.said(file, "text", Reader())
    first.save()
    assert (later(forget=False), later(forget=True)) == (0, 1)


def test_a_failure_is_not_kept(file: Path, tmp_path: Path) -> None:
    def fail(path: Path) -> str:
        raise BadInput("cannot be read", "mend it")

    ledger = Ledger(tmp_path / "work", tmp_path)
    with pytest.raises(BadInput):
        ledger.said(file, "text", fail)
    assert ledger.said(file, "text", Reader()) == "first"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 0, "files": {}}', b'{"format": 1, "files": 3}'])
def test_a_ledger_that_cannot_be_used_is_begun_again(file: Path, tmp_path: Path, content: bytes) -> None:
    ledger = Ledger(tmp_path / "work", tmp_path)
    ledger.said(file, "text", Reader())
    ledger.save()
    [path] = (tmp_path / "work").iterdir()
    path.write_bytes(content)
    read = Reader()
    assert Ledger(tmp_path / "work", tmp_path).said(file, "text", read) == "first"
    assert read.calls == 1


def test_a_file_whose_name_is_not_utf8_can_be_kept(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff"))
    try:
        odd.write_text("text")
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    ledger = Ledger(tmp_path / "work", tmp_path)
    ledger.said(odd, "text", Reader())
    ledger.save()
    read = Reader()
    assert Ledger(tmp_path / "work", tmp_path).said(odd, "text", read) == "text"
    assert read.calls == 0
