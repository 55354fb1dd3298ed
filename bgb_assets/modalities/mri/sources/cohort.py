"""Which visits of a source are wanted, and the words of the command that say so.

Belongs here: the filter, and reading the options that all sources of scans share. Does not belong here: what a source
has (`visits`), what is fetched of it (`planning`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bgb_assets.modalities.mri.pairing.names import MODALITIES, acquisition_of
from bgb_assets.modalities.mri.sources.visits import Visit
from bgb_assets.runtime.errors import UsageError

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TURBO = "turbo_spin_echo"
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Cohort:
    """Which visits are wanted.

    Attributes:
        modality: The kind of image that is the scan.
        include_tse: Take turbo spin echo images too.
        allow_no_mask: Take images without a mask too.
    """

    modality: str = "T2w"
    include_tse: bool = False
    allow_no_mask: bool = False

    def excludes(self, visit: Visit) -> str | None:
        """Say why a visit is not wanted, or None; what is wrong with one that is wanted, its own flags say."""
        if not visit.has_mask and not self.allow_no_mask:
            return "no mask"
        if not visit.flags and "image" not in visit.files:
            return f"no {self.modality}"
        if not self.include_tse and acquisition_of(visit.acquisition_label) == _TURBO:
            return _TURBO
        return None


@dataclass(frozen=True)
class Asked:
    """What a command asks of a source of scans.

    Attributes:
        cohort: Which visits.
        expect: How many there must be, or None for any number.
        name: Stands in the uploads' names before subject and session; for a second data set with the same subjects.
        replace: Take uploads that another data set of the same subjects brought, in their place.
        others: Options of one kind of source only.
    """

    cohort: Cohort = field(default_factory=Cohort)
    expect: int | None = None
    name: str = ""
    replace: bool = False
    others: Mapping[str, str] = field(default_factory=dict)


def read_options(prefix: str, options: Mapping[str, str], others: Sequence[str] = ()) -> Asked:
    """Return what the options of a command say.

    Args:
        prefix: The source's name, for messages.
        options: `{"include_tse": "true"}` for `--include-tse true`.
        others: Names of options that this kind of source knows beside the common ones.

    Raises:
        UsageError: An option is unknown or its value cannot be read.
    """
    common = ("modality", "include_tse", "allow_no_mask", "replace", "expect", "name")
    if unknown := sorted(set(options) - {*common, *others}):
        known = ", ".join(_written(name) for name in (*common, *others))
        raise UsageError(f"{prefix}: unknown options {unknown!r}; there are {known}")
    modality = options.get("modality", MODALITIES[0])
    if modality not in MODALITIES:
        raise UsageError(f"{prefix}: --modality is one of {', '.join(MODALITIES)}, got {modality!r}")
    flags = {name: _flag(prefix, name, options[name]) for name in common[1:4] if name in options}
    expect = _count(prefix, options["expect"]) if "expect" in options else None
    name = options.get("name", "")
    if name and (not _NAME.fullmatch(name)):
        raise UsageError(f"{prefix}: --name is made of letters, digits, '-' and '_', got {name!r}")
    replace = flags.pop("replace", False)
    return Asked(
        Cohort(modality, **flags), expect, name, replace, {each: options[each] for each in others if each in options}
    )


def _flag(prefix: str, name: str, text: str) -> bool:
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise UsageError(f"{prefix}: {_written(name)} expects true or false, got {text!r}") from None


def _count(prefix: str, text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"{prefix}: --expect expects a number of scans above 0, got {text!r}")
    return int(text)


def _written(name: str) -> str:
    return f"--{name.replace('_', '-')}"
