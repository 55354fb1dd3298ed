import gzip
import io
import random
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.runtime import archives
from bgb_assets.runtime.errors import BadInput, ContractError, UnsafeArchive

LIMITS = {"max_entries": 50, "max_bytes": 4 << 20, "max_ratio": 50.0}


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def tarred(path: Path, infos: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    mode = "w" if path.suffix == ".tar" else "w:gz"
    with tarfile.open(path, mode) as archive:
        for info, content in infos:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refused(path: Path, tmp_path: Path, **limits: float) -> str:
    """Unpack, expect a refusal that leaves nothing in or beside the folder, and return its reason."""
    sandbox = tmp_path / "sandbox"
    out = sandbox / "deep" / "out"
    with pytest.raises(UnsafeArchive) as refusal:
        archives.unpack(path, out, **(LIMITS | limits))
    assert refusal.value.remedy
    assert [item for item in sandbox.rglob("*") if item not in (out, out.parent)] == []
    return refusal.value.reason


@pytest.mark.parametrize("suffix", archives.ARCHIVE_SUFFIXES)
def test_unpacks_what_was_packed(tmp_path: Path, suffix: str) -> None:
    files = {"Info.dat": b"{}", "sub/Song Ä [x].egg": random.Random(0).randbytes(2_300_000), "empty.txt": b""}
    path = tmp_path / f"a{suffix}"
    if suffix == ".zip":
        zipped(path, files)
    else:
        tarred(path, [(tarfile.TarInfo(name), content) for name, content in files.items()])
    assert archives.is_archive(path)
    assert archives.unpack(path, tmp_path / "out", **LIMITS) == tuple(sorted(files))
    assert contents(tmp_path / "out") == files
    listed = {member.name: member.size_bytes for member in archives.members(path, **LIMITS)}
    assert listed == {name: len(content) for name, content in files.items()}


def test_folders_and_dots_in_names_are_plain(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"./a/": b"", "./a//b.txt": b"1", "a/empty/": b""})
    assert archives.unpack(path, tmp_path / "out", **LIMITS) == ("a/b.txt",)
    assert (tmp_path / "out" / "a" / "empty").is_dir()


EVIL_NAMES = [
    ("../evil", "climbs"),
    ("a/../../evil", "climbs"),
    ("/etc/evil", "absolute"),
    ("C:/evil", "drive"),
    ("c:evil", "drive"),
    ("..\\evil", "backslash"),
    ("a\\b", "backslash"),
    ("a\nb", "control"),
    ("x" * 256, "too long"),
    ("/".join("d" * 40), "too deep"),
]


@pytest.mark.parametrize(("name", "words"), EVIL_NAMES)
@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_evil_names_are_refused(tmp_path: Path, name: str, words: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".zip":
        zipped(path, {"good.txt": b"good", name: b"evil"})
    else:
        tarred(path, [(tarfile.TarInfo("good.txt"), b"good"), (tarfile.TarInfo(name), b"evil")])
    assert words in refused(path, tmp_path)
    with pytest.raises(UnsafeArchive):
        archives.members(path, **LIMITS)


def test_a_nul_in_a_name_is_seen(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"fine.txtX/../evil": b"evil"})
    path.write_bytes(path.read_bytes().replace(b"fine.txtX", b"fine.txt\0"))
    assert "archive member 'fine.txt\\x00" in refused(path, tmp_path)


@pytest.mark.parametrize(
    "names", [("a", "a"), ("A.txt", "a.TXT"), ("\u00e9", "e\u0301"), ("a", "a/b"), ("a/b", "a"), ("D/x", "d/y")]
)
def test_names_that_are_one_on_some_disk_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    infos = [(tarfile.TarInfo(name), b"x") for name in names]
    assert "names the same file" in refused(tarred(tmp_path / "a.tgz", infos), tmp_path)


def test_a_zip_with_one_name_twice_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"name-1": b"1", "name-2": b"2"})
    path.write_bytes(path.read_bytes().replace(b"name-2", b"name-1"))
    assert "names the same file" in refused(path, tmp_path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_zip_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "no plain file" in refused(tmp_path / "a.zip", tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_tar_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    path = tarred(tmp_path / "a.tar", [(tarfile.TarInfo("good"), b"good"), (info, b"")])
    assert "no plain file" in refused(path, tmp_path)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"secret": b"text"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # flags of the local header
    data[data.index(b"PK\1\2") + 8] |= 1  # flags in the directory
    path.write_bytes(data)
    assert "is encrypted" in refused(path, tmp_path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_a_bound_are_refused(tmp_path: Path, method: int) -> None:
    assert "compression method" in refused(zipped(tmp_path / "a.zip", {"a": b"text"}, method), tmp_path)


def test_bad_crc_is_refused_and_undoes_the_members_before(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"good": b"good", "sub/bad": b"payload-here"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"payload-here", b"payload-hare"))
    assert "Bad CRC" in refused(path, tmp_path)


def test_too_many_entries(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{i}": b"" for i in range(51)})
    assert "more than 50 entries" in refused(path, tmp_path)
    assert len(archives.unpack(path, tmp_path / "out", **(LIMITS | {"max_entries": 51}))) == 51


def test_a_giant_directory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{i:0200}": b"" for i in range(50)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, len(data) - 22 + 12, 60_000)
    path.write_bytes(data)
    assert "directory of 60000 bytes" in refused(path, tmp_path)


def test_a_giant_zip64_directory_is_seen(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"1"})
    data = path.read_bytes()
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(data) - 22, 1)
    path.write_bytes(data[:-22] + record + locator + data[-22:])
    assert f"directory of {1 << 40} bytes" in refused(path, tmp_path)


def test_bytes_are_counted_while_inflating_and_the_header_is_not_believed(tmp_path: Path) -> None:
    noise = bytes(range(256)) * 8192
    path = zipped(tmp_path / "a.zip", {"a": noise, "b": noise, "c": noise})
    assert "inflates to more than" in refused(path, tmp_path, max_ratio=1e9)
    small = zipped(tmp_path / "lie.zip", {"a": noise})
    data = bytearray(small.read_bytes())
    struct.pack_into("<I", data, 22, 10)
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, 10)
    small.write_bytes(data)
    assert "damaged" in refused(small, tmp_path)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_compression_ratio(tmp_path: Path, suffix: str) -> None:
    zeros, path = bytes(3 << 20), tmp_path / f"bomb{suffix}"
    zipped(path, {"z": zeros}) if suffix == ".zip" else tarred(path, [(tarfile.TarInfo("z"), zeros)])
    assert "inflates to more than" in refused(path, tmp_path)
    assert archives.unpack(path, tmp_path / "out", **(LIMITS | {"max_ratio": 2000})) == ("z",)


def test_a_small_archive_may_have_any_ratio(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"z": bytes(1 << 20)})
    assert archives.unpack(path, tmp_path / "out", **LIMITS) == ("z",)


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"1" * 500, "b": b"2" * 500}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    struct.pack_into("<I", data, second + 42, 10)  # the second member starts inside the first
    path.write_bytes(data)
    assert "overlapping" in refused(path, tmp_path)


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_cut_off_archives_are_refused(tmp_path: Path, suffix: str, keep: float) -> None:
    noise, path = zlib.compress(bytes(range(256))) * 40, tmp_path / f"a{suffix}"
    files = {f"f{i}": noise for i in range(8)}
    zipped(path, files) if suffix == ".zip" else tarred(path, [(tarfile.TarInfo(n), c) for n, c in files.items()])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert "damaged" in refused(path, tmp_path)


def test_a_tar_cut_off_between_members_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", [(tarfile.TarInfo("a"), b"x" * 512), (tarfile.TarInfo("b"), b"y" * 512)])
    path.write_bytes(path.read_bytes()[:1024])
    assert "no end mark" in refused(path, tmp_path)


def test_a_tar_with_a_broken_second_header_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", [(tarfile.TarInfo("a"), b"x" * 512), (tarfile.TarInfo("b"), b"y" * 512)])
    data = bytearray(path.read_bytes())
    data[1024 + 150] ^= 0x3F  # the checksum field
    path.write_bytes(data)
    assert "no end mark" in refused(path, tmp_path)


def test_files_that_are_no_archives(tmp_path: Path) -> None:
    fake = tmp_path / "fake.zip"
    fake.write_bytes(b"hello")
    assert not archives.is_archive(fake)
    assert not archives.is_archive(tmp_path / "absent.zip")
    assert "damaged" in refused(fake, tmp_path)
    plain = zipped(tmp_path / "song.egg", {"a": b"1"})
    assert not archives.is_archive(plain)
    assert "is no archive" in refused(plain, tmp_path)


def test_the_folder_must_be_empty(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"1"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_bytes(b"keep")
    with pytest.raises(ContractError, match="must be empty"):
        archives.unpack(path, tmp_path / "out", **LIMITS)
    assert contents(tmp_path / "out") == {"mine": b"keep"}


def test_an_error_of_the_disk_is_not_the_archives_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archives.unpack(tmp_path / "absent.zip", tmp_path / "out", **LIMITS)


@settings(max_examples=150, deadline=None)
@given(name=st.text(st.sampled_from("ab.:/\\ \0C~é\ud800"), max_size=12))
def test_any_name_stays_inside_or_is_refused(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    tmp_path = tmp_path_factory.mktemp("name")
    info, out = tarfile.TarInfo(name), tmp_path / "out"
    info.size = 1
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, errors="surrogatepass") as archive:
        archive.addfile(info, io.BytesIO(b"x"))
    try:
        names = archives.unpack(tmp_path / "a.tar", out, **LIMITS)
    except UnsafeArchive:
        assert list(out.iterdir()) == []
    else:
        assert contents(out) == dict.fromkeys(names, b"x")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.tar", "out"]


@settings(max_examples=200, deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4), tar=st.booleans()
)
def test_damaged_bytes_are_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]], tar: bool
) -> None:
    tmp_path = tmp_path_factory.mktemp("flip")
    files = {"a/b": b"hello " * 20, "c": b"world"}
    path = tmp_path / ("a.tgz" if tar else "a.zip")
    tarred(path, [(tarfile.TarInfo(n), c) for n, c in files.items()]) if tar else zipped(path, files)
    data = bytearray(path.read_bytes())
    for position, mask in flips:
        data[position % len(data)] ^= mask
    path.write_bytes(data)
    try:
        names = archives.unpack(path, tmp_path / "out", **LIMITS)
    except UnsafeArchive:
        assert list((tmp_path / "out").iterdir()) == []
    else:
        assert sorted(contents(tmp_path / "out")) == list(names)


def test_suffixes() -> None:
    assert archives.archive_suffix("Song.ZIP") == ".zip"
    assert archives.archive_suffix("x.tar.gz") == ".tar.gz"
    assert archives.archive_suffix(".zip") is None
    assert archives.archive_suffix("scan.nii.gz") is None
    assert archives.strip_archive_suffix("pack/Song.Tgz") == "pack/Song"
    assert archives.strip_archive_suffix("song.egg") == "song.egg"


class TestGunzip:
    def test_plain_and_gzipped(self) -> None:
        text = b"{}" * 1000
        assert archives.gunzip_bounded(text, 2000) == text
        assert archives.gunzip_bounded(gzip.compress(text), 2000) == text
        assert archives.gunzip_bounded(gzip.compress(text[:900]) + gzip.compress(text[900:]) + b"\0\0", 2000) == text

    @pytest.mark.parametrize(
        "data", [b"x" * 2001, gzip.compress(b"x" * 2001, mtime=0), gzip.compress(b"x" * 1500, mtime=0) * 2]
    )
    def test_too_large(self, data: bytes) -> None:
        with pytest.raises(BadInput, match="larger than the 2000 bytes"):
            archives.gunzip_bounded(data, 2000)

    @pytest.mark.parametrize(("cut", "words"), [(5, "cut off"), (40, "cut off"), (-8, "cut off"), (-1, "cut off")])
    def test_cut_off(self, cut: int, words: str) -> None:
        with pytest.raises(BadInput, match=words):
            archives.gunzip_bounded(gzip.compress(bytes(range(256)))[:cut], 2000)

    def test_damaged_and_followed_by_garbage(self) -> None:
        good = gzip.compress(b"hello")
        with pytest.raises(BadInput, match="damaged"):
            archives.gunzip_bounded(good[:-6] + b"\1\1" + good[-4:], 2000)
        with pytest.raises(BadInput, match="follow the end"):
            archives.gunzip_bounded(good + b"junk", 2000)
