"""Opens one Unity bundle of the game and hands out what lies in it: behaviours, texts and sounds.

Belongs here: all that is said to UnityPy, which is imported inside functions only, and turning its many exceptions
into `BadInput` that names the bundle. Each bundle is opened from its bytes and on its own: nothing else on the disk
is looked at, nothing is written.
Does not belong here: what the game's fields mean (`official_packs`, `official_levels`).
"""

import contextlib
import importlib
import importlib.util
import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bgb_assets.runtime.errors import BadInput, UsageError, is_resource_error

VERIFY = "have the game's own files verified (Steam: Properties, Installed Files), then ingest again"
"""Remedy for what is wrong inside the game folder."""

_GET_DECODER = (
    'pip install "bgb_assets[unity]" on a system that the decoder runs on, `bgb quarantine retry beatmap`, '
    "then ingest again"
)
_SIGNATURES = (b"UnityFS\0", b"UnityWeb\0", b"UnityRaw\0")
_HEAD_BYTES = 4096
"""Room for a bundle's header: a signature, two version texts and 24 bytes of numbers."""
_SIZES = struct.Struct(">qIII")
_COMPRESSION_BITS, _DIRECTORY_AT_END = 0x3F, 0x80
_ALIGNED_SINCE = 7
_ALIGNMENT_BYTES = 16
_SOUND_SUFFIXES = {b"OggS": ".ogg", b"RIFF": ".wav"}


@dataclass(frozen=True)
class Sound:
    """A song's audio as a file of its own.

    Attributes:
        suffix: `.ogg` or `.wav` and the like.
        content: The file's bytes.
    """

    suffix: str
    content: bytes


class Behaviour:
    """One MonoBehaviour: its fields, and the objects that its pointers name.

    Its fields are read when they are asked for: one that cannot be read and is of no use to us does no harm.

    Attributes:
        name: Its `m_Name`.
        path_id: What names it in its file.
    """

    def __init__(self, label: str, reader: Any) -> None:
        self.name = str(reader.peek_name() or "")
        self.path_id = int(reader.path_id)
        self._label = label
        self._reader = reader
        self._file = reader.assets_file

    def has(self, field: str) -> bool:
        """Say whether its kind has a field, without reading it."""
        return any(node.m_Name == field for node in self._reader.serialized_type.node.m_Children)

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """Its fields by name.

        Raises:
            BadInput: They cannot be read.
        """
        with _damage_named(f"{self._label}: {self.name}"):
            fields: Mapping[str, Any] = self._reader.parse_as_dict()
        return fields

    def outside(self, pointer: Any) -> tuple[str, int] | None:
        """Return (archive file, path id) of a pointer that leaves this file, or None where it does not."""
        file_id, path_id = _ids(pointer, self._label)
        if file_id == 0:
            return None
        externals = self._file.externals
        if not 0 < file_id <= len(externals):
            raise BadInput(f"{self._label}: a pointer names file {file_id} of {len(externals)}", VERIFY)
        return str(externals[file_id - 1].path).rpartition("/")[2].lower(), path_id

    def pointed(self, pointer: Any) -> Mapping[str, Any]:
        """Return the fields of the object that a pointer names.

        Raises:
            BadInput: There is none in this bundle.
        """
        reader = self._find(pointer, None)
        with _damage_named(self._label):
            fields: Mapping[str, Any] = reader.parse_as_dict()
        return fields

    def text(self, pointer: Any) -> bytes:
        """Return the bytes of the TextAsset that a pointer names, gzip and all.

        Raises:
            BadInput: There is none in this bundle.
        """
        reader = self._find(pointer, "TextAsset")
        with _damage_named(self._label):
            # UnityPy reads every text as UTF-8 and keeps bytes that are none as surrogates.
            return str(reader.parse_as_dict()["m_Script"]).encode("utf-8", "surrogateescape")

    def sound(self, pointer: Any) -> Sound:
        """Return the audio of the AudioClip that a pointer names: Ogg and WAV as they are, else decoded to WAV.

        Raises:
            BadInput: There is none in this bundle, or it cannot be decoded.
        """
        reader = self._find(pointer, "AudioClip")
        with _damage_named(self._label):
            clip = reader.parse_as_object()
            content = bytes(clip.m_AudioData or b"") or self._resource(clip.m_Resource)
        suffix = _SOUND_SUFFIXES.get(content[:4])
        return Sound(suffix, content) if suffix else _decoded(clip, content, self._label)

    def _find(self, pointer: Any, kind: str | None) -> Any:
        file_id, path_id = _ids(pointer, self._label)
        reader = self._file.objects.get(path_id) if file_id == 0 else None
        wanted = kind or "object"
        if reader is None:
            raise BadInput(f"{self._label}: no {wanted} with path id {path_id} in the bundle", VERIFY)
        if kind is not None and reader.type.name != kind:
            raise BadInput(f"{self._label}: path id {path_id} is a {reader.type.name}, expected a {kind}", VERIFY)
        return reader

    def _resource(self, resource: Any) -> bytes:
        # Only what the bundle itself holds: UnityPy would go on to look for a file of that name on the disk.
        name = str(resource.m_Source).rpartition("/")[2]
        stream = self._file.environment.get_cab(name)
        if stream is None:
            raise BadInput(f"{self._label}: the sound's resource {name!r} is not in the bundle", VERIFY)
        stream.Position = resource.m_Offset
        content = bytes(stream.read_bytes(resource.m_Size))
        if len(content) != resource.m_Size:
            raise BadInput(f"{self._label}: the sound ends after {len(content)} of {resource.m_Size} bytes", VERIFY)
        return content


def require_unity() -> None:
    """Say how to install what opens bundles where it is absent; imports nothing.

    Raises:
        UsageError: UnityPy is not installed.
    """
    if importlib.util.find_spec("UnityPy") is None:
        raise UsageError('official levels need UnityPy, which is not installed: pip install "bgb_assets[unity]"')


def is_bundle(path: Path) -> bool:
    """Say whether a file begins as a Unity bundle does."""
    with path.open("rb") as stream:
        return stream.read(max(map(len, _SIGNATURES))).startswith(_SIGNATURES)


def is_null(pointer: Any) -> bool:
    """Say whether a pointer is absent or points at nothing."""
    return pointer is None or (isinstance(pointer, Mapping) and pointer.get("m_PathID") == 0)


def behaviours(content: bytes, label: str) -> list[Behaviour]:
    """Return the MonoBehaviours of a bundle; those without a description of their own fields are left out.

    Args:
        content: The bundle's bytes.
        label: How messages name it.

    Raises:
        BadInput: Not a bundle, or a damaged one.
    """
    _require_signature(content, label)
    found = []
    with _damage_named(label):
        _require_whole(content, label)
        from UnityPy import Environment

        environment = Environment(path="")
        environment.load_file(content, name=label)
        if not environment.assets:
            raise BadInput(f"{label}: the bundle holds no objects that can be read", VERIFY)
        for reader in environment.objects:
            if reader.type.name == "MonoBehaviour" and reader.serialized_type and reader.serialized_type.node:
                found.append(Behaviour(label, reader))
    return found


def archive_files(path: Path, label: str) -> list[str]:
    """Return the lower-case names of the files in a bundle, read from its directory alone.

    Raises:
        BadInput: Not a bundle, or one whose directory cannot be read.
    """
    with path.open("rb") as stream, _damage_named(label):
        head = stream.read(_HEAD_BYTES)
        _require_signature(head, label)
        version, sizes_at = int.from_bytes(head[8:12], "big"), _sizes_at(head)
        _, packed_bytes, unpacked_bytes, flags = _SIZES.unpack_from(head, sizes_at)
        start = sizes_at + _SIZES.size
        if version >= _ALIGNED_SINCE:
            start += -start % _ALIGNMENT_BYTES
        stream.seek(*((-packed_bytes, io.SEEK_END) if flags & _DIRECTORY_AT_END else (start, io.SEEK_SET)))
        return _names(_unpacked(stream.read(packed_bytes), unpacked_bytes, flags & _COMPRESSION_BITS))


def _require_whole(content: bytes, label: str) -> None:
    # UnityPy reads a bundle that was cut off as one with fewer objects, or none, and says nothing.
    if content.startswith(b"UnityFS"):
        stated_bytes, *_ = _SIZES.unpack_from(content, _sizes_at(content))
        if len(content) < stated_bytes:
            raise BadInput(f"{label}: the bundle ends after {len(content)} of {stated_bytes} bytes", VERIFY)


def _sizes_at(head: bytes) -> int:
    """Return where the sizes begin: after a signature, a version and two texts."""
    return head.index(b"\0", head.index(b"\0", 12) + 1) + 1


def _unpacked(packed: bytes, unpacked_bytes: int, compression: int) -> bytes:
    from UnityPy.helpers.CompressionHelper import DECOMPRESSION_MAP

    by_number: Any = DECOMPRESSION_MAP
    return bytes(by_number[compression](packed, unpacked_bytes))


def _names(directory: bytes) -> list[str]:
    """Return the file names in a directory: 16 bytes of hash, blocks of 10 bytes, nodes of 20 bytes and a name."""
    (blocks,) = struct.unpack_from(">i", directory, 16)
    at = 20 + 10 * blocks
    (nodes,) = struct.unpack_from(">i", directory, at)
    at += 4
    names = []
    for _ in range(nodes):
        end = directory.index(b"\0", at + 20)
        names.append(directory[at + 20 : end].decode().lower())
        at = end + 1
    return names


def _decoded(clip: Any, content: bytes, label: str) -> Sound:
    """Return what UnityPy's sound decoder, which is not ours to ship, makes of another format."""
    kind = f"{label}: the sound is {content[:4]!r}"
    try:
        importlib.import_module("UnityPy.export.AudioClipConverter")
    except Exception as error:  # it loads a library of its own, and whatever that raises means that it is not there
        if is_resource_error(error):
            raise
        raise BadInput(f"{kind}, and UnityPy's decoder cannot be loaded ({error})", _GET_DECODER) from error
    try:
        samples = dict(clip.samples)
    except Exception as error:  # the decoder raises whatever its library reports
        if is_resource_error(error) or isinstance(error, MemoryError):
            raise
        raise BadInput(f"{kind}, which cannot be decoded ({error})", VERIFY) from error
    if len(samples) != 1:
        raise BadInput(f"{kind} and holds {len(samples)} songs, expected 1", VERIFY)
    [(name, decoded)] = samples.items()
    return Sound(Path(name).suffix.lower() or ".wav", bytes(decoded))


def _ids(pointer: Any, label: str) -> tuple[int, int]:
    if not isinstance(pointer, Mapping) or not isinstance(pointer.get("m_PathID"), int):
        raise BadInput(f"{label}: expected a pointer, got {pointer!r:.80}", VERIFY)
    return int(pointer.get("m_FileID", 0)), pointer["m_PathID"]


def _require_signature(content: bytes, label: str) -> None:
    if not content.startswith(_SIGNATURES):
        raise BadInput(f"{label}: not a Unity bundle, it begins with {content[:8]!r}", VERIFY)


@contextlib.contextmanager
def _damage_named(label: str) -> Iterator[None]:
    """Name the bundle in whatever UnityPy raises, and keep what it prints off the screen."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except BadInput:
        raise
    except Exception as error:  # a damaged bundle makes UnityPy raise anything
        if is_resource_error(error) or isinstance(error, MemoryError | ImportError):
            raise
        reason = f"{label}: damaged Unity bundle ({type(error).__name__}: {error})"
        raise BadInput(reason, VERIFY) from error
