"""Unity bundles as the game ships them, built without a game: texts, sounds and behaviours in a UnityFS file.

UnityPy reads an empty serialized file of format 22, is given types and objects, and writes it out again; the layout
of texts and sounds is that of its own database, that of a behaviour is inferred from the values put in.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from UnityPy.enums import ClassIDType
from UnityPy.files import ObjectReader
from UnityPy.files.SerializedFile import FileIdentifier, SerializedFile, SerializedType
from UnityPy.helpers.Tpk import get_typetree_node
from UnityPy.helpers.TypeTreeHelper import write_typetree
from UnityPy.helpers.TypeTreeNode import TypeTreeNode
from UnityPy.helpers.UnityVersion import UnityVersion
from UnityPy.streams import EndianBinaryReader, EndianBinaryWriter

UNITY = "2021.3.16f1"
TEXT, SOUND, BEHAVIOUR = 49, 83, 114
ARCHIVE = "CAB-{}"
_FORMAT = 22
_WINDOWS = 19
_ALIGN = 0x4000
_SIZES = {"int": 4, "float": 4, "SInt64": 8, "UInt8": 1, "char": 1}


def pointer(path_id: int, file_id: int = 0) -> dict[str, int]:
    """A pointer to an object of the bundle, or of the file that is the bundle's `file_id`-th outside file."""
    return {"m_FileID": file_id, "m_PathID": path_id}


class Bundle:
    """A bundle that is being put together.

    Args:
        name: Names its serialized file: `CAB-<name>`.
        outside: Names of other bundles that pointers may lead into.
    """

    def __init__(self, name: str, outside: Sequence[str] = ()) -> None:
        self.archive = ARCHIVE.format(name)
        self._file = SerializedFile(EndianBinaryReader(_empty_file()))
        self._file.externals = [_external(ARCHIVE.format(other)) for other in outside]
        self._resource = b""

    def text(self, path_id: int, name: str, content: bytes) -> None:
        """Add a TextAsset."""
        fields = {"m_Name": name, "m_Script": content.decode("utf-8", "surrogateescape")}
        self._add(path_id, TEXT, _known_node(TEXT), fields)

    def sound(self, path_id: int, name: str, content: bytes, source: str | None = None) -> None:
        """Add an AudioClip whose bytes lie in the bundle's resource file."""
        node = _known_node(SOUND)
        place = {
            "m_Source": source or f"archive:/{self.archive}/{self.archive}.resource",
            "m_Offset": len(self._resource),
            "m_Size": len(content),
        }
        rates = {"m_Channels": 1, "m_Frequency": 22_050, "m_BitsPerSample": 16, "m_Length": 0.1}
        self._add(path_id, SOUND, node, _zero(node) | rates | {"m_Name": name, "m_Resource": place})
        self._resource += content

    def behaviour(self, path_id: int, name: str, **fields: Any) -> None:
        """Add a MonoBehaviour with fields of its own."""
        base = {"m_GameObject": pointer(0), "m_Enabled": 1, "m_Script": pointer(0), "m_Name": name}
        self._add(path_id, BEHAVIOUR, _inferred_node(base | fields), base | fields)

    def cut_off(self, path_id: int, n_bytes: int) -> None:
        """Leave out the last bytes of an object."""
        held = self._file.objects[path_id]
        held.data = held.data[:-n_bytes]

    def content(self) -> bytes:
        """The bundle's bytes: UnityFS, nothing compressed."""
        return _unity_fs({self.archive: self._file.save(), f"{self.archive}.resource": self._resource})

    def _add(self, path_id: int, class_id: int, node: TypeTreeNode, fields: Mapping[str, Any]) -> None:
        _complete(node)
        kind = SerializedType.__new__(SerializedType)
        kind.__attrs_init__(
            class_id,
            is_stripped_type=False,
            script_type_index=-1,
            script_id=bytes(16),
            old_type_hash=bytes(16),
            node=node,
            type_dependencies=(),
        )
        self._file.types.append(kind)
        writer = EndianBinaryWriter(endian="<")
        write_typetree(dict(fields), node, writer, self._file)
        self._file.objects[path_id] = ObjectReader(
            assets_file=self._file,
            reader=self._file.reader,
            path_id=path_id,
            type_id=len(self._file.types) - 1,
            serialized_type=kind,
            class_id=class_id,
            type=ClassIDType(class_id),
            byte_start=0,
            byte_size=0,
            is_destroyed=None,
            is_stripped=None,
            data=writer.bytes,
        )


def fsb5(samples: Sequence[int]) -> bytes:
    """An FSB5 file of one PCM16 sound, mono at 44,100 Hz: what the game's own sounds are kept in."""
    data = struct.pack(f"<{len(samples)}h", *samples)
    data += bytes(-len(data) % 32)
    rate_44100 = 8
    header = struct.pack("<Q", rate_44100 << 1 | len(samples) << 34)
    pcm16 = 2
    sizes = struct.pack("<IIIIII", 1, 1, len(header), 0, len(data), pcm16)
    return b"FSB5" + sizes + bytes(32) + header + data


def _empty_file() -> bytes:
    header = struct.pack(">IIIIB3xIqqq", 0, 0, _FORMAT, 0, 0, 0, 0, 0, 0)
    types_objects_scripts_externals_refs = struct.pack("<5i", 0, 0, 0, 0, 0)
    return (
        header
        + UNITY.encode()
        + b"\0"
        + struct.pack("<i?", _WINDOWS, True)
        + (types_objects_scripts_externals_refs + b"\0" + bytes(64))
    )


def _external(archive: str) -> FileIdentifier:
    external = FileIdentifier.__new__(FileIdentifier)
    external.path, external.temp_empty = f"archive:/{archive}/{archive}", ""
    external.guid, external.type = bytes(16), 0
    return external


def _unity_fs(files: Mapping[str, bytes]) -> bytes:
    data = b"".join(files.values())
    directory = bytes(16) + struct.pack(">iIIH", 1, len(data), len(data), 0) + struct.pack(">i", len(files))
    offset = 0
    for name, content in files.items():
        directory += struct.pack(">qqI", offset, len(content), 4) + name.encode() + b"\0"
        offset += len(content)
    start = b"UnityFS\0" + struct.pack(">I", 7) + b"5.x.x\0" + UNITY.encode() + b"\0"
    head_bytes = len(start) + 20
    padding = bytes(-head_bytes % 16)
    total = head_bytes + len(padding) + len(directory) + len(data)
    head = start + struct.pack(">qIII", total, len(directory), len(directory), 0x40)
    return head + padding + directory + data


def _known_node(class_id: int) -> TypeTreeNode:
    return get_typetree_node(class_id, UnityVersion.from_str(UNITY))


def _inferred_node(fields: Mapping[str, Any]) -> TypeTreeNode:
    return TypeTreeNode.from_list(_described("MonoBehaviour", "Base", fields, 0))


def _described(kind: str, name: str, value: Any, level: int) -> list[TypeTreeNode]:
    """Nodes of a value, depth first; a list's elements are all like its first."""
    if isinstance(value, Mapping):
        inner = [node for key, item in value.items() for node in _described(_kind(key, item), key, item, level + 1)]
        return [_node(kind, name, level), *inner]
    if isinstance(value, str | list):
        element = _node("char", "data", level + 2) if isinstance(value, str) else None
        elements = [element] if element else _described(_kind("data", value[0]), "data", value[0], level + 2)
        array = [_node("Array", "Array", level + 1, _ALIGN), _node("int", "size", level + 2)]
        return [_node(kind, name, level), *array, *elements]
    return [_node(kind, name, level, _ALIGN if kind == "UInt8" else 0)]


def _kind(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return "PPtr<Object>" if set(value) == {"m_FileID", "m_PathID"} else "Struct"
    named = {"m_PathID": "SInt64", "m_Enabled": "UInt8"}
    return named.get(name) or {str: "string", list: "vector", float: "float", int: "int"}[type(value)]


def _node(kind: str, name: str, level: int, flags: int = 0) -> TypeTreeNode:
    return TypeTreeNode(
        m_Level=level, m_Type=kind, m_Name=name, m_ByteSize=_SIZES.get(kind, -1), m_Version=1, m_MetaFlag=flags
    )


def _complete(root: TypeTreeNode) -> None:
    """Set what a node needs before it can be written."""
    for index, node in enumerate(root.traverse()):
        node.m_Index = index
        node.m_TypeFlags = int(node.m_Type == "Array")
        node.m_RefTypeHash = 0
        node.m_MetaFlag = node.m_MetaFlag or 0


def _zero(node: TypeTreeNode) -> Any:
    """The value of a node in which nothing is set."""
    if node.m_Type == "string":
        return ""
    if node.m_Children and node.m_Children[0].m_Type == "Array":
        return []
    if node.m_Children:
        return {child.m_Name: _zero(child) for child in node.m_Children}
    return {"float": 0.0, "bool": False}.get(node.m_Type, 0)
