import gzip
import io
import struct
import sys
from pathlib import Path

import pytest
import soundfile
from UnityPy import Environment

from bgb_assets.modalities.beatmap.sources.official_bundles import (
    Behaviour,
    archive_files,
    behaviours,
    is_bundle,
    is_null,
    require_unity,
)
from bgb_assets.runtime.errors import BadInput, UsageError
from bgb_assets_tests.modalities.beatmap.unity_bundles import Bundle, fsb5, pointer

NOT_UTF8 = bytes(range(256)) * 3


def packed(content: bytes, packer: str) -> bytes:
    """The same bundle, compressed as the game's are."""
    environment = Environment(path="")
    bundle = environment.load_file(content, name="x")
    written: bytes = bundle.save(packer=packer)
    return written


def only(bundle: Bundle) -> Behaviour:
    [found] = behaviours(bundle.content(), "levels/x")
    return found


@pytest.fixture
def bundle() -> Bundle:
    made = Bundle("x", outside=["a", "b"])
    made.behaviour(1, "Named", _number=3, _text="é", _nested=[{"_deep": 1.5}, {"_deep": 2.5}])
    made.text(-5, "text", NOT_UTF8)
    made.sound(6, "first", b"OggS first")
    made.sound(7, "second", b"RIFF second")
    return made


@pytest.mark.parametrize("packer", ["none", "lz4", "lzma"])
def test_what_was_put_in_comes_out(bundle: Bundle, packer: str) -> None:
    [found] = behaviours(packed(bundle.content(), packer), "levels/x")
    assert (found.name, found.path_id) == ("Named", 1)
    assert (found.fields["_number"], found.fields["_text"]) == (3, "é")
    assert [item["_deep"] for item in found.fields["_nested"]] == [1.5, 2.5]
    assert found.text(pointer(-5)) == NOT_UTF8
    assert found.pointed(pointer(-5))["m_Name"] == "text"
    sounds = [found.sound(pointer(path_id)) for path_id in (6, 7)]
    assert [(sound.suffix, sound.content) for sound in sounds] == [(".ogg", b"OggS first"), (".wav", b"RIFF second")]


@pytest.mark.parametrize("packer", ["none", "lz4", "lzma"])
def test_the_directory_alone_names_the_files(bundle: Bundle, packer: str, tmp_path: Path) -> None:
    path = tmp_path / "x.bundle"
    path.write_bytes(packed(bundle.content(), packer))
    assert archive_files(path, "x") == ["cab-x", "cab-x.resource"]


def test_the_directory_may_lie_at_the_end(bundle: Bundle, tmp_path: Path) -> None:
    content = bundle.content()
    path = tmp_path / "x.bundle"
    path.write_bytes(_directory_moved_to_the_end(content))
    assert path.read_bytes() != content
    assert archive_files(path, "x") == ["cab-x", "cab-x.resource"]
    assert [found.name for found in behaviours(path.read_bytes(), "x")] == ["Named"]


def _directory_moved_to_the_end(content: bytes) -> bytes:
    sizes_at = content.index(b"\0", content.index(b"\0", 12) + 1) + 1
    total, packed_bytes, unpacked_bytes, flags = struct.unpack_from(">qIII", content, sizes_at)
    start = sizes_at + 20
    start += -start % 16
    sizes = struct.pack(">qIII", total, packed_bytes, unpacked_bytes, flags | 0x80)
    head = content[:sizes_at] + sizes + content[sizes_at + 20 : start]
    return head + content[start + packed_bytes :] + content[start : start + packed_bytes]


def test_pointers_out_of_a_bundle_name_its_file(bundle: Bundle) -> None:
    found = only(bundle)
    assert found.outside(pointer(12)) is None
    assert found.outside(pointer(12, file_id=2)) == ("cab-b", 12)
    with pytest.raises(BadInput, match="levels/x: a pointer names file 3 of 2"):
        found.outside(pointer(12, file_id=3))


def test_a_null_pointer_is_told_from_others() -> None:
    assert is_null(None)
    assert is_null(pointer(0))
    assert not is_null(pointer(-1))


def test_a_behaviour_says_which_fields_its_kind_has(bundle: Bundle) -> None:
    found = only(bundle)
    assert found.has("_number")
    assert not found.has("_levelID")


def test_a_behaviour_that_cannot_be_read_does_no_harm_until_its_fields_are_asked_for(bundle: Bundle) -> None:
    bundle.behaviour(2, "Damaged", _number=3)
    bundle.cut_off(2, n_bytes=2)
    found = {item.name: item for item in behaviours(bundle.content(), "levels/x")}
    assert found["Named"].fields["_number"] == 3
    with pytest.raises(BadInput, match="levels/x: Damaged: damaged Unity bundle"):
        _ = found["Damaged"].fields


def test_a_path_id_that_is_absent_or_of_another_kind_is_named(bundle: Bundle) -> None:
    found = only(bundle)
    with pytest.raises(BadInput, match="levels/x: no TextAsset with path id 99 in the bundle"):
        found.text(pointer(99))
    with pytest.raises(BadInput, match="levels/x: no TextAsset with path id -5 in the bundle"):
        found.text(pointer(-5, file_id=1))
    with pytest.raises(BadInput, match="levels/x: path id 6 is a AudioClip, expected a TextAsset"):
        found.text(pointer(6))
    with pytest.raises(BadInput, match="levels/x: expected a pointer, got 'here'"):
        found.sound("here")


def test_fsb5_is_decoded_sample_by_sample(bundle: Bundle) -> None:
    samples = [0, 1000, -1000, 32_767, -32_768] * 80
    bundle.sound(8, "song", fsb5(samples))
    sound = only(bundle).sound(pointer(8))
    decoded, rate_hz = soundfile.read(io.BytesIO(sound.content), dtype="int16")
    assert (sound.suffix, rate_hz, decoded.tolist()) == (".wav", 44_100, samples)


def test_fsb5_without_a_decoder_names_the_bundle_and_what_to_install(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.sound(8, "song", fsb5([1, 2, 3]))
    monkeypatch.delitem(sys.modules, "UnityPy.export.AudioClipConverter", raising=False)
    monkeypatch.setitem(sys.modules, "fmod_toolkit", None)
    with pytest.raises(BadInput, match="levels/x: the sound is b'FSB5', and UnityPy's decoder") as raised:
        only(bundle).sound(pointer(8))
    assert 'pip install "bgb_assets[unity]"' in raised.value.remedy
    assert "bgb quarantine retry beatmap" in raised.value.remedy


def test_a_sound_that_cannot_be_decoded_is_rejected(bundle: Bundle) -> None:
    bundle.sound(8, "song", b"FSB5" + bytes(100))
    with pytest.raises(BadInput, match="levels/x: the sound is b'FSB5', which cannot be decoded"):
        only(bundle).sound(pointer(8))


def test_a_sound_is_looked_for_in_its_own_bundle_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere.resource").write_bytes(b"OggS of another")
    monkeypatch.chdir(tmp_path)
    for source in ("archive:/CAB-y/elsewhere.resource", str(tmp_path / "elsewhere.resource")):
        bundle = Bundle("x")
        bundle.behaviour(1, "Named")
        bundle.sound(6, "song", b"OggS", source=source)
        with pytest.raises(BadInput, match=r"the sound's resource 'elsewhere\.resource' is not in the bundle"):
            only(bundle).sound(pointer(6))


@pytest.mark.parametrize("content", [b"", b"OggS", b"PK\x03\x04" + bytes(200), b"UnityF"])
def test_what_is_no_bundle_is_rejected(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert not is_bundle(path)
    with pytest.raises(BadInput, match="x: not a Unity bundle, it begins with"):
        behaviours(content, "x")
    with pytest.raises(BadInput, match="x: not a Unity bundle, it begins with"):
        archive_files(path, "x")


def test_a_bundle_that_was_cut_off_is_rejected_wherever_the_cut_is(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bundle.content()
    for length in range(8, len(content), 97):
        with pytest.raises(BadInput, match=r"x: (the bundle ends after \d+ of|damaged Unity bundle)"):
            behaviours(content[:length], "x")
    assert capsys.readouterr().out == ""


def test_damage_inside_is_rejected_and_printed_nowhere(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray(packed(bundle.content(), "lz4"))
    content[60:110] = b"\xff" * 50
    with pytest.raises(BadInput, match="x: damaged Unity bundle"):
        behaviours(bytes(content), "x")
    assert capsys.readouterr().out == ""


def test_a_machine_without_unity_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    require_unity()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install "bgb_assets\[unity\]"'):
        require_unity()


def test_texts_that_are_gzip_survive(bundle: Bundle) -> None:
    content = gzip.compress(b"notes" * 1000, mtime=99)
    bundle.text(40, "Expert.beatmap.gz", content)
    assert only(bundle).text(pointer(40)) == content
