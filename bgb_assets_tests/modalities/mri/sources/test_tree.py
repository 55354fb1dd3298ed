import hashlib
import os
from pathlib import Path

import pytest

from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.sources.tree import files_below, open_below
from bgb_assets.modalities.mri.sources.visits import SourceFile
from bgb_assets.runtime.errors import SourceError
from bgb_assets_tests.modalities.mri.nifti_files import put
from bgb_assets_tests.modalities.mri.sources.source_case import annexed, image_of

SCAN = "sub-A/anat/sub-A_T2w.nii.gz"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return put(tmp_path / "ds" / SCAN, image_of(1)).parents[2].resolve()


def seen(root: Path) -> dict[str, SourceFile]:
    return {file.path: file for file in files_below(root, lambda path: path.endswith(".nii.gz"))}


def test_a_dangling_annex_link_gives_size_and_digest(root: Path) -> None:
    data = (root / SCAN).read_bytes()
    held = annexed(root, SCAN)
    sha256 = hashlib.sha256(data).hexdigest()
    assert seen(root) == {SCAN: SourceFile(SCAN, len(data), sha256, sha256)}
    assert open_below(root, SCAN).read_bytes() == data
    held.unlink()
    assert seen(root) == {SCAN: SourceFile(SCAN, len(data), sha256, sha256, is_here=False)}
    with pytest.raises(SourceError, match="git annex get"):
        open_below(root, SCAN)


def test_an_annexed_file_without_its_bytes_may_be_a_text_too(root: Path) -> None:
    put(root / SCAN, f"/annex/objects/SHA256E-s77--{'ab' * 32}.nii.gz\n".encode())
    assert seen(root)[SCAN] == SourceFile(SCAN, 77, "ab" * 32, "ab" * 32, is_here=False)
    with pytest.raises(SourceError, match="not on this disk"):
        open_below(root, SCAN)


def test_a_key_without_a_sha256_is_a_version_and_no_digest(root: Path) -> None:
    (root / SCAN).unlink()
    (root / SCAN).symlink_to("../../.git/annex/objects/a/b/MD5E-s5--0123.nii.gz/MD5E-s5--0123.nii.gz")
    assert seen(root)[SCAN] == SourceFile(SCAN, 5, "MD5E--0123.nii.gz", None, is_here=False)


def test_the_version_of_a_plain_file_follows_its_stat_and_not_its_folder(root: Path) -> None:
    before = seen(root)
    moved = root.with_name("renamed")
    root.rename(moved)
    assert seen(moved) == before
    os.utime(moved / SCAN, (1, 1))
    assert seen(moved)[SCAN].version != before[SCAN].version


def test_nothing_outside_the_root_is_opened(root: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "secret.nii.gz", image_of(2))
    (root / SCAN).unlink()
    (root / SCAN).symlink_to(outside)
    assert seen(root)[SCAN].leaves
    for path in (SCAN, "../secret.nii.gz", str(outside)):
        with pytest.raises(BadScan) as error:
            open_below(root, path)
        assert error.value.code == "unsafe_path"


def test_a_way_out_over_two_links_is_found_when_it_is_opened(root: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "secret.nii.gz", image_of(2))
    (root / "inside.nii.gz").symlink_to(outside)
    for target in ("../../inside.nii.gz", str(root / "inside.nii.gz")):
        (root / SCAN).unlink()
        (root / SCAN).symlink_to(target)
        assert not seen(root)[SCAN].leaves
        with pytest.raises(BadScan, match="unsafe_path"):
            open_below(root, SCAN)


def test_hidden_and_unfinished_files_and_linked_folders_are_passed_over(root: Path, tmp_path: Path) -> None:
    for name in (".git/x.nii.gz", "sub-A/.x.nii.gz", "sub-A/x.nii.gz.part"):
        put(root / name, b"1")
    put(tmp_path / "other" / "y.nii.gz", b"1")
    (root / "linked").symlink_to(tmp_path / "other")
    assert list(files_below(root, lambda path: True)) == list(seen(root).values())


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be looked through"):
        files_below(tmp_path / "gone", lambda path: True)
