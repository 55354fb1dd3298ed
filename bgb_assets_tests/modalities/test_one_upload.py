"""A file that a person names is taken with what belongs to it, and a file that belongs to nothing is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bgb_assets.modalities.contract import Found
from bgb_assets.modalities.one_upload import upload_around
from bgb_assets.runtime.errors import UsageError


def pairs(root: Path) -> Iterator[Found]:
    """A tune and its words are one upload."""
    for tune in sorted(root.glob("*.tune")):
        yield Found(tune.stem, (tune.name, f"words/{tune.stem}.txt"))


def around(path: Path, into: Path) -> Path:
    return upload_around(path, pairs, into, "song", "a .tune file")


def test_a_file_comes_with_what_belongs_to_it_and_without_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    for name in ("one.tune", "two.tune", "words/one.txt", "words/two.txt"):
        (tmp_path / name).write_text(name)
    upload = around(tmp_path / "one.tune", tmp_path / "given")
    files = {path.relative_to(upload).as_posix(): path.read_text() for path in upload.rglob("*") if path.is_file()}
    assert files == {"one.tune": "one.tune", "words/one.txt": "words/one.txt"}
    assert all(path.is_symlink() for path in upload.rglob("*.t*"))


def test_a_folder_is_an_upload_already(tmp_path: Path) -> None:
    assert around(tmp_path, tmp_path / "given") == tmp_path
    assert not (tmp_path / "given").exists()


def test_what_is_no_upload_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file; name a song or its folder"):
        around(tmp_path / "none.tune", tmp_path / "given")
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(UsageError, match=r"no song that can be read; name a \.tune file"):
        around(tmp_path / "notes.md", tmp_path / "given")
