"""`bgb report`: pictures of real samples in both themes, and a page that needs nothing else."""

import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgb_assets.commands import report
from bgb_assets.commands.context import opened_chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.runtime.errors import BadInput, UsageError
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import fan_in, walk
from bgb_assets_tests.fixtures import REPOSITORY, shared_data

SAMPLES = REPOSITORY / "data" / "samples" / "beatmap"
SONG_PICTURES = {"features-mel", "features-onset", "notes-mel", "notes-notes", "notes-grid", "notes-density"}
CORPUS_PICTURES = {"manifest-counts", "manifest-timing", "manifest-pace", "tokens-lengths", "tokens-classes"}


@pytest.fixture(scope="module")
def sampled_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data root with two samples taken in and processed; the commands find it."""
    root = tmp_path_factory.mktemp("data")
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("BGB_DATA_ROOT", str(root))
        with opened_chain("beatmap", workers=0) as chain:
            for song in ("song_0001", "song_0003"):
                Ingest(chain).copy_in(SAMPLES / song)
            Ingest(chain).wait_and_apply()
            walk(chain)
            fan_in(chain, ("manifest", "tokens"))
        yield root


@pytest.fixture(scope="module")
def reported(sampled_root: Path) -> Path:
    """The report of the corpus and both songs."""
    out = sampled_root / "report"
    report.report("beatmap", None, out)
    return out


def pictures_in(folder: Path) -> set[str]:
    """Return the names of the pictures in a folder; each is there in both themes, 800 pixels wide."""
    files = {path.name: path.read_bytes() for path in folder.glob("*.png")}
    names = {name.rsplit(".", 2)[0] for name in files}
    assert {f"{name}.{theme}.png" for name in names for theme in ("light", "dark")} == set(files)
    assert {width_of(data) for data in files.values()} == {800}
    assert all(files[f"{name}.light.png"] != files[f"{name}.dark.png"] for name in names)
    return names


def width_of(png: bytes) -> int:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">I", png[16:20])[0]


def loads_nothing(page: str) -> bool:
    """Say whether all that a page shows is inside of it."""
    links = re.findall(r"""(?:src|href|action|data)\s*=\s*["']?([^"'\s>]{0,30})""", page)
    return all(link.startswith("data:image/png;base64,") for link in links) and "url(" not in page


def test_a_report_holds_the_corpus_and_every_song(reported):
    assert pictures_in(reported / "corpus") == CORPUS_PICTURES
    assert {path.name for path in (reported / "uploads").iterdir()} == {"song_0001", "song_0003"}
    assert all(pictures_in(folder) == SONG_PICTURES for folder in (reported / "uploads").iterdir())


def test_the_page_needs_nothing_else_and_begins_with_the_corpus(reported):
    page = (reported / "index.html").read_text()
    assert loads_nothing(page)
    assert page.count("data:image/png;base64,") == 2 * (len(CORPUS_PICTURES) + 2 * len(SONG_PICTURES))
    assert headings(reported / "index.html") == ["All songs", "song_0001", "song_0003"]
    assert not loads_nothing(page.replace("data:image/png;base64,", "https://elsewhere/", 1))


def test_one_song_alone_again_gives_the_same_bytes(reported, tmp_path):
    report.report("beatmap", ["song_0003"], tmp_path)
    assert not (tmp_path / "corpus").exists()
    for path in (tmp_path / "uploads" / "song_0003").iterdir():
        assert path.read_bytes() == (reported / "uploads" / "song_0003" / path.name).read_bytes()


def headings(page: Path) -> list[str]:
    return re.findall("<h2>(.*?)</h2>", page.read_text())


@pytest.fixture
def nothing_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the drawing out: what is chosen to be drawn is asked."""
    monkeypatch.setattr(report, "pictures_of_corpus", lambda chain: ())
    monkeypatch.setattr(report, "pictures_of_upload", lambda chain, key: ())


def test_what_is_left_out_is_said(sampled_root, nothing_drawn, tmp_path, capsys):
    report.report("beatmap", None, tmp_path, shown=1)
    notice = "1 of 2 songs; --all draws the other 1 too."
    assert notice in capsys.readouterr().out
    assert notice in (tmp_path / "index.html").read_text()
    assert headings(tmp_path / "index.html") == ["All songs", "song_0001"]


def test_all_leaves_none_out(sampled_root, nothing_drawn, tmp_path, capsys):
    report.report("beatmap", None, tmp_path, everything=True, shown=0)
    assert "--all" not in capsys.readouterr().out
    assert headings(tmp_path / "index.html") == ["All songs", "song_0001", "song_0003"]


def test_an_unknown_upload_is_a_wrong_use(sampled_root, tmp_path):
    with pytest.raises(UsageError, match="no upload 'nobody'"):
        report.report("beatmap", ["nobody"], tmp_path / "out")


def test_a_zip_that_no_store_knows_is_drawn(tmp_path):
    shutil.make_archive(str(tmp_path / "my_map"), "zip", SAMPLES / "song_0002")
    report.report("beatmap", None, tmp_path / "out", file=tmp_path / "my_map.zip")
    assert pictures_in(tmp_path / "out") == SONG_PICTURES
    assert "<h1>my_map.zip</h1>" in (tmp_path / "out" / "index.html").read_text()


def test_a_real_map_without_audio_is_drawn_without_its_sound(tmp_path):
    report.report("beatmap", None, tmp_path, file=shared_data("beatmap") / "maps" / "JOURNEY")
    assert pictures_in(tmp_path) == {"notes-notes", "notes-grid", "notes-density"}


def test_what_is_no_map_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no map")
    with pytest.raises(UsageError, match=r"notes\.txt: no folder and no zip"):
        report.report("beatmap", None, tmp_path / "out", file=tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="Info"):
        report.report("beatmap", None, tmp_path / "out", file=tmp_path / "empty")


def test_uploads_and_a_file_at_once_are_refused(tmp_path):
    with pytest.raises(UsageError, match="draw uploads or a file, got both song_0001 and"):
        report.report("beatmap", ["song_0001"], tmp_path, file=tmp_path)
