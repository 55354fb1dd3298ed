"""`bgb report`: pictures of a real sample in both themes, and a page that needs nothing else."""

import struct
from pathlib import Path

import pytest

from bgb_assets.commands import report
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.driving import walk
from bgb_assets_tests.fixtures import REPOSITORY


@pytest.fixture
def sampled_root(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with one sample taken in and processed."""
    from bgb_assets.commands.context import opened_chain
    from bgb_assets.engine.ingest import Ingest

    monkeypatch.setenv("BGB_DATA_ROOT", str(data_root))
    with opened_chain("beatmap", workers=0) as chain:
        Ingest(chain).copy_in(REPOSITORY / "data" / "samples" / "beatmap" / "song_0003")
        Ingest(chain).wait_and_apply()
        walk(chain)
    return data_root


def width_of(png: bytes) -> int:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">I", png[16:20])[0]


def test_pictures_in_both_themes_and_a_page_of_its_own(sampled_root, tmp_path, capsys):
    report.report("beatmap", None, tmp_path / "out")
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "out" / "song_0003").iterdir()}
    names = {name.rsplit(".", 2)[0] for name in pictures}
    assert names == {"features-mel", "features-onset", "notes-notes", "notes-density"}
    assert {width_of(data) for data in pictures.values()} == {800}
    assert pictures["notes-notes.light.png"] != pictures["notes-notes.dark.png"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 8
    assert "http" not in page


def test_an_unknown_upload_is_a_wrong_use(sampled_root, tmp_path):
    with pytest.raises(UsageError, match="no upload 'nobody'"):
        report.report("beatmap", ["nobody"], tmp_path / "out")
