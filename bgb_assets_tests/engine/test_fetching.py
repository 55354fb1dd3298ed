from pathlib import Path

import pytest

from bgb_assets.engine.fetching import FetchTask, fetch
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import BadInput, ContractError, ResourceError, SourceError
from bgb_assets.storage.digests import sha256_bytes, signature
from bgb_assets_tests.toy_source import FolderSource, Shelf


def task(shelf: Shelf, data_root: Path, key: str = "a") -> FetchTask:
    offer = Offer(f"shelf.{key}", f"shelf://{key}", "1")
    return FetchTask(data_root, "toy", FolderSource(shelf.folder), offer, data_root / "work")


def test_files_become_blobs_and_keep_their_names(shelf: Shelf, data_root: Path) -> None:
    shelf.put("a", {"a.txt": "1", "deep/er/b.txt": "2", ".hidden": "3"})
    found = fetch(task(shelf, data_root))
    assert found.blobs == {
        ".hidden": sha256_bytes(b"3"),
        "a.txt": sha256_bytes(b"1"),
        "deep/er/b.txt": sha256_bytes(b"2"),
    }
    for name, digest in found.blobs.items():
        assert found.files[name] == signature(data_root / "raw" / "blobs" / digest[:2] / digest)
    assert list((data_root / ".tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("bad", BadInput),
        ("later", SourceError),
        ("full", ResourceError),
        ("bug", ValueError),
        ("link", ContractError),
        ("nothing", ContractError),
    ],
)
def test_failure_leaves_no_blob_and_no_temporary_file(
    shelf: Shelf, data_root: Path, word: str, kind: type[Exception]
) -> None:
    shelf.trouble("a", word)
    with pytest.raises(kind):
        fetch(task(shelf, data_root))
    assert not (data_root / "raw").exists()
    assert list((data_root / ".tmp").iterdir()) == []


def test_name_that_no_record_can_hold_is_bad_input(shelf: Shelf, data_root: Path) -> None:
    (shelf.folder / "files" / "shelf.a" / "b\udce9.txt").write_text("x")
    with pytest.raises(BadInput, match="not valid UTF-8"):
        fetch(task(shelf, data_root))
