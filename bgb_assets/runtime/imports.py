"""Objects by import string (`"package.module:name"`), the way stages and models are named everywhere.

Belongs here: turning such a string into the object. Does not belong here: what the object is for.
"""

import functools
import importlib
from types import ModuleType
from typing import Any

from bgb_assets.runtime.errors import ContractError


@functools.cache
def resolve(import_string: str) -> Any:
    """Import and return what a string names; remembered for the life of the process.

    Raises:
        ContractError: The string is malformed, or its module or name does not exist.
        ImportError: The module exists, but something that it imports does not.
    """
    module_name, separator, name = import_string.partition(":")
    if not (module_name and separator and name):
        raise ContractError(f"{import_string!r} is not of the form 'package.module:name'")
    found: Any = _import(module_name, import_string)
    for attribute in name.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise ContractError(
                f"{import_string!r}: module {module_name!r} has no {name!r}; mend the name or define it there"
            ) from None
    return found


def _import(module_name: str, import_string: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise
        raise ContractError(
            f"{import_string!r}: no module named {missing!r}; mend the name or install its package"
        ) from error
