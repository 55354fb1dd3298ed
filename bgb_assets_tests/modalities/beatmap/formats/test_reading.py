import gzip
import json
import zlib

import pytest

from bgb_assets.modalities.beatmap.formats import reading
from bgb_assets.modalities.beatmap.formats.reading import (
    content_digest,
    file_digest,
    read_content,
    read_json,
    unpacked_bytes,
)
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data


def test_gzip_and_byte_order_mark_read_as_plain_json(tmp_path):
    plain = json.dumps({"a": 1}).encode()
    for name, content in {
        "plain": plain,
        "marked": b"\xef\xbb\xbf" + plain,
        "packed": gzip.compress(plain),
        "both": gzip.compress(b"\xef\xbb\xbf" + plain),
        "members": gzip.compress(plain[:3]) + gzip.compress(plain[3:]),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert read_json(tmp_path / name, name) == {"a": 1}


def test_content_digest_is_of_the_unpacked_bytes(tmp_path):
    (tmp_path / "plain").write_bytes(b"abc" * 1000)
    (tmp_path / "packed").write_bytes(gzip.compress(b"abc" * 1000))
    assert content_digest(tmp_path / "packed", "packed") == file_digest(tmp_path / "plain")
    assert unpacked_bytes(tmp_path / "packed") == unpacked_bytes(tmp_path / "plain") == 3000


def test_invalid_json_names_line_and_column():
    file = shared_data("beatmap") / "wiki_snippets" / "beatmap" / "4.1.0.dat"
    with pytest.raises(BadInput) as caught:
        read_json(file, "beatmap/4.1.0.dat")
    assert str(caught.value) == ("beatmap/4.1.0.dat: invalid JSON at line 91 column 3; fix or remove the difficulty")


def test_values_that_json_does_not_know_are_read_as_numbers(tmp_path):
    (tmp_path / "a.dat").write_text('{"b": NaN, "c": -Infinity, "d": 1e999}')
    value = read_json(tmp_path / "a.dat", "a.dat")
    assert value["b"] != value["b"]
    assert (value["c"], value["d"]) == (-float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "a.dat: the file is empty, expected JSON"),
        (b"\xef\xbb\xbf \r\n", "a.dat: the file is empty, expected JSON"),
        (b'{"a": "\xff"}', "a.dat: not UTF-8 at byte 7"),
        (b"<html>", "a.dat: invalid JSON at line 1 column 1"),
        (b"[" * 3000, "a.dat: JSON nested too deeply"),
        (gzip.compress(b"{}" * 100, mtime=0)[:-12], "a.dat: gzip data ends early"),
        (gzip.compress(b"{}" * 100, mtime=0)[:-8] + b"\0" * 8, "a.dat: damaged gzip data (Error -3"),
    ],
)
def test_unreadable_files_say_why(tmp_path, content, reason):
    (tmp_path / "a.dat").write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_json(tmp_path / "a.dat", "a.dat")
    assert caught.value.reason.startswith(reason)


def test_a_damaged_gzip_still_has_a_digest(tmp_path):
    (tmp_path / "a.dat").write_bytes(gzip.compress(b"{}" * 100)[:-12])
    assert content_digest(tmp_path / "a.dat", "a.dat") == file_digest(tmp_path / "a.dat")


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_JSON_BYTES", 4 << 20)
    (tmp_path / "a.dat").write_bytes(gzip.compress(bytes(32 << 20)))
    with pytest.raises(BadInput, match="larger than 4 MiB un-gzipped"):
        read_content(tmp_path / "a.dat", "a.dat")


def test_more_than_256_mib_of_content_are_refused_and_never_held(tmp_path):
    packer = zlib.compressobj(1, wbits=31)
    mebibyte = b" " * (1 << 20)
    (tmp_path / "a.dat").write_bytes(b"".join(packer.compress(mebibyte) for _ in range(300)) + packer.flush())
    with pytest.raises(BadInput, match=r"a\.dat: larger than 256 MiB un-gzipped"):
        read_json(tmp_path / "a.dat", "a.dat")
    with (tmp_path / "plain.dat").open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(BadInput, match=r"plain\.dat: larger than 256 MiB"):
        read_json(tmp_path / "plain.dat", "plain.dat")
