import gzip
import random

import pytest

from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.scans.gzip_stream import ScanBytes, beginning, head_of, is_gzip
from bgb_assets.runtime import monitoring
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import packed, put

CONTENT = random.Random(1).randbytes(700_000) + bytes(3_000_000)


def read(path, *args):
    source = ScanBytes(path, *args)
    return b"".join(source), source


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_any_level_gives_the_bytes_that_went_in(tmp_path, level):
    content, source = read(put(tmp_path / "a.nii.gz", packed(CONTENT, level)))
    assert content == CONTENT
    assert (source.total_bytes, source.members, source.trailing_bytes) == (len(CONTENT), 1, 0)


def test_what_is_compressed_is_known_by_its_bytes_and_not_by_its_name(tmp_path):
    plain, compressed = put(tmp_path / "a.nii.gz", CONTENT), put(tmp_path / "a.nii", packed(CONTENT))
    assert (is_gzip(plain), is_gzip(compressed)) == (False, True)
    assert read(plain)[0] == read(compressed)[0] == CONTENT


def test_blocks_are_small_however_much_a_little_input_holds(tmp_path):
    path = put(tmp_path / "a", packed(bytes(50 << 20)))
    assert max(len(block) for block in ScanBytes(path)) <= 1 << 20


def test_several_members_follow_each_other(tmp_path):
    members = [CONTENT[:5], b"", CONTENT[5:1_000_000], CONTENT[1_000_000:]]
    content, source = read(put(tmp_path / "a", b"".join(packed(member) for member in members)))
    assert content == CONTENT
    assert source.members == 4


@pytest.mark.parametrize("trailing", [b"\0", bytes(1000), b"\x1f", b"signature" * 100_000])
def test_bytes_after_the_last_member_are_counted_and_left_out(tmp_path, trailing):
    content, source = read(put(tmp_path / "a", packed(CONTENT) + trailing))
    assert content == CONTENT
    assert source.trailing_bytes == len(trailing)


def test_a_real_scan_cut_anywhere_is_cut(tmp_path):
    data = (shared_data("mri") / "lesymap" / "Subject_091.nii.gz").read_bytes()
    for place in (*range(21, 40), *random.Random(2).sample(range(40, len(data)), 40), len(data) - 1):
        with pytest.raises(BadScan) as refused:
            read(put(tmp_path / "a", data[:place]))
        assert refused.value.code == "gzip_truncated", place


def test_a_bit_flipped_in_the_middle_is_damage_and_no_cut(tmp_path):
    data = (shared_data("mri") / "lesymap" / "Subject_091.nii.gz").read_bytes()
    content = read(put(tmp_path / "whole", data))[0]
    codes = []
    for place in random.Random(3).sample(range(len(data) // 4, len(data) - 8), 60):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        try:
            # Where a run of zeros is copied from somewhere else, nothing is damaged.
            assert read(put(tmp_path / "a", bytes(flipped)), len(content))[0] == content
        except BadScan as error:
            codes.append(error.code)
    assert set(codes) == {"gzip_crc"}
    assert len(codes) > 40


def test_a_wrong_checksum_or_length_is_damage(tmp_path):
    data = packed(CONTENT)
    for place in (-8, -1):
        wrong = bytearray(data)
        wrong[place] ^= 1
        with pytest.raises(BadScan, match="gzip_crc"):
            read(put(tmp_path / "a", bytes(wrong)))


def test_a_bomb_is_refused_when_it_is_larger_than_allowed(tmp_path):
    path = put(tmp_path / "a", gzip.compress(bytes(64 << 20)))
    source = ScanBytes(path, None, 4 << 20)
    with pytest.raises(BadScan, match="too_large"):
        list(source)
    assert source.total_bytes <= 5 << 20


def test_the_beginning_alone_costs_no_inflation(tmp_path):
    path = put(tmp_path / "a", packed(b"ab") + packed(CONTENT))
    with monitoring.counting() as counts:
        assert beginning(path, 1000) == (b"ab" + CONTENT)[:1000]
    assert counts["inflations"] == 0
    with monitoring.counting() as counts:
        read(path)
    assert counts["inflations"] == 1


def test_a_beginning_may_be_all_there_is():
    assert head_of(b"abc", 10) == head_of(packed(b"abc"), 10) == b"abc"
    assert head_of(b"", 10) == b""
