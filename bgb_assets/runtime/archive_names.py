"""Which names inside an untrusted archive are safe to create, on any file system.

Belongs here: pure rules about names. Does not belong here: reading archives (`archive_entries.py`)
and writing files (`archives.py`).
"""

import re
import unicodedata

from bgb_assets.runtime.errors import UnsafeArchive

MAX_NAME_BYTES = 1024
MAX_PART_BYTES = 255
MAX_DEPTH = 32

REPACK = "pack it again with plain relative names and without links"

_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def safe_name(name: str) -> str:
    """Return a member's name as a relative POSIX path without `.` and empty parts; "" is the root itself.

    Raises:
        UnsafeArchive: The name is absolute, climbs out, has a drive letter, a backslash, a control
            character or a lone surrogate, or is too long or too deep for a common file system.
    """
    fault = _fault(name)
    if fault:
        raise UnsafeArchive(f"archive member {shown(name)} {fault}", REPACK)
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def shown(name: str) -> str:
    """Return a name for a message: escaped, and short."""
    return ascii(name if len(name) <= 80 else f"{name[:80]}...")


def _fault(name: str) -> str | None:
    parts = name.split("/")
    if name.startswith("/"):
        return "has an absolute path"
    if "\\" in name:
        return "has a backslash in its name"
    if _DRIVE.match(name):
        return "has a drive letter"
    if ".." in parts:
        return "climbs out of its folder"
    if _CONTROL.search(name):
        return "has a control character in its name"
    return _length_fault(name, parts)


def _length_fault(name: str, parts: list[str]) -> str | None:
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "has a name that is not valid Unicode"
    if max(sizes) > MAX_PART_BYTES or sum(sizes) > MAX_NAME_BYTES or len(parts) > MAX_DEPTH:
        return (
            f"is too long or too deep: at most {MAX_PART_BYTES} bytes a part, "
            f"{MAX_NAME_BYTES} in all and {MAX_DEPTH} levels"
        )
    return None


class Names:
    """The names of an archive so far; refuses two that are one on some file system.

    macOS and Windows do not tell case apart, macOS does not tell Unicode compositions apart. What an
    archive unpacks to must not depend on that.
    """

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def add(self, name: str, is_folder: bool) -> None:
        """Take in a safe name and the folders it lies in.

        Raises:
            UnsafeArchive: It was there before, also in other case, or is both file and folder.
        """
        parts = name.split("/")
        for depth in range(1, len(parts)):
            self._add_folder("/".join(parts[:depth]))
        if is_folder:
            self._add_folder(name)
        elif (before := self._before(name)) is not None:
            raise _twice(name, before)
        else:
            self._files[_folded(name)] = name

    def _add_folder(self, name: str) -> None:
        before = self._files.get(_folded(name)) or self._folders.setdefault(_folded(name), name)
        if before != name or _folded(name) in self._files:
            raise _twice(name, before)

    def _before(self, name: str) -> str | None:
        return self._files.get(_folded(name)) or self._folders.get(_folded(name))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _twice(name: str, before: str) -> UnsafeArchive:
    return UnsafeArchive(
        f"archive member {shown(name)} names the same file as {shown(before)}", "keep one of the two and pack it again"
    )
