"""Makes installed packages absent for a process: to import, to `find_spec` and to `importlib.metadata`."""

import sys
from collections.abc import Iterable
from typing import Any


class _Without:
    def __init__(self, finder: Any, names: frozenset[str]) -> None:
        self._finder, self._names = finder, names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] in self._names:
            return None
        return self._finder.find_spec(name, path, target)

    def find_distributions(self, *arguments: Any) -> Iterable[Any]:
        find = getattr(self._finder, "find_distributions", None)
        found = find(*arguments) if find else ()
        return [distribution for distribution in found if distribution.metadata["Name"] not in self._names]


def make_absent(*names: str) -> None:
    """Hide packages from everything imported from now on."""
    sys.meta_path[:] = [_Without(finder, frozenset(names)) for finder in sys.meta_path]
