import os
from pathlib import Path

import pytest

from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.sources.storage import LocalFolder
from bgb_assets.runtime.errors import SourceError
from bgb_assets_tests.modalities.mri.nifti_files import put


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    for name in ("b/2.parquet", "a.parquet", "a.txt", ".hidden.parquet"):
        put(tmp_path / "data" / name, name.encode())
    put(tmp_path / "outside.parquet", b"outside")
    (tmp_path / "data" / "link.parquet").symlink_to(tmp_path / "outside.parquet")
    return LocalFolder((tmp_path / "data").resolve())


def test_the_tables_of_a_folder_and_its_state(folder: LocalFolder) -> None:
    state, found = folder.tables()
    assert [file.path for file in found] == ["a.parquet", "b/2.parquet"]
    os.utime(folder.root / "a.txt", (1, 1))
    assert folder.tables()[0] == state
    os.utime(folder.root / "a.parquet", (1, 1))
    assert folder.tables()[0] != state
    assert [file.path for file in LocalFolder(folder.root, "a.parquet").tables()[1]] == ["a.parquet"]


def test_a_file_is_opened_in_the_version_that_was_seen(folder: LocalFolder) -> None:
    seen = folder.tables()[1][0]
    with folder.open(seen.path, seen.version) as file:
        assert file.read() == b"a.parquet"
    os.utime(folder.root / "a.parquet", (1, 1))
    with pytest.raises(SourceError, match="changed since it was looked at"):
        folder.open(seen.path, seen.version)
    folder.open(seen.path).close()


@pytest.mark.parametrize("path", ["../outside.parquet", "/etc/passwd", "link.parquet"])
def test_nothing_outside_is_opened(folder: LocalFolder, path: str) -> None:
    with pytest.raises(BadScan) as error:
        folder.open(path)
    assert error.value.code == "unsafe_path"
