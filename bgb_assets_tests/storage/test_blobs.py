from pathlib import Path

import pytest

from bgb_assets.storage.blobs import Blobs
from bgb_assets.storage.digests import sha256_bytes
from bgb_assets.storage.layout import Layout


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(Layout(tmp_path / "data"))


def written(tmp_path: Path, text: str, name: str = "file") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_file_becomes_a_blob_under_its_digest(blobs: Blobs, tmp_path: Path) -> None:
    file = written(tmp_path, "bytes")
    digest = blobs.take(file)
    assert digest == sha256_bytes(b"bytes")
    assert blobs.path(digest) == tmp_path / "data" / "raw" / "blobs" / digest[:2] / digest
    assert blobs.path(digest).read_text() == "bytes"
    assert not file.exists()
    assert blobs.sizes() == {digest: 5}


def test_equal_bytes_are_kept_once_and_the_blob_stays_untouched(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.take(written(tmp_path, "bytes"))
    before = blobs.path(digest).stat()
    assert blobs.take(written(tmp_path, "bytes", "other")) == digest
    after = blobs.path(digest).stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
    assert not (tmp_path / "other").exists()


def test_damaged_and_missing_blobs_are_found_and_replaced(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.take(written(tmp_path, "bytes"))
    assert blobs.problem(digest) is None
    blobs.path(digest).write_text("bites")
    assert blobs.problem(digest) == "bytes differ from its name"
    blobs.take(written(tmp_path, "bytes"))
    assert blobs.is_whole(digest)
    blobs.remove(digest)
    blobs.remove(digest)
    assert (blobs.problem(digest), blobs.sizes()) == ("missing", {})


def test_no_folder_holds_no_blobs(blobs: Blobs) -> None:
    assert blobs.sizes() == {}
