"""Driving a chain in tests: from an inbox to models, and what was called, opened and written on the way.

Belongs here: steps that many tests take, for any modality. Does not belong here: the toy (`toy`) and fixtures
(`conftest`).
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bgb_assets.chain import Chain
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.engine.ingest import Ingest, IngestReport
from bgb_assets.engine.outcomes import StageOutcome, UploadOutcome
from bgb_assets.modalities.contract import FAN_IN_STAGES, PER_UPLOAD_STAGES, STAGE_NAMES
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.digests import sha256_file
from bgb_assets.storage.records import RECORD_NAME, record_from_bytes

_listeners: list[list[str]] = []
_hooked: list[bool] = []


def open_chain(name: str, root: Path) -> Chain:
    """Return the chain of a registered modality as a new process would have it."""
    return Chain(modality(name), load_settings({"BGB_DATA_ROOT": str(root)}), InProcessExecutor())


def ingest(chain: Chain, *, confirm_deletions: bool = False) -> IngestReport:
    """Bring the upload records in line with the inbox."""
    return Ingest(chain).apply(confirm_deletions=confirm_deletions)


def walk(chain: Chain, stages: Iterable[str] = PER_UPLOAD_STAGES, *, force: bool = False) -> dict[str, UploadOutcome]:
    """Bring all uploads up to date; return key -> outcome."""
    return {outcome.key: outcome for outcome in chain.run(chain.uploads.keys(), stages, force=force)}


def fan_in(chain: Chain, stages: Iterable[str] = FAN_IN_STAGES) -> dict[str, StageOutcome]:
    """Bring fan-in stages up to date."""
    return {stage: FanInRun(chain, stage).run() for stage in stages}


def everything(chain: Chain) -> Mapping[str, int]:
    """Ingest, walk and fan in; return stage -> calls of its functions (parts count too), without those not called."""
    with monitoring.counting() as counts:
        ingest(chain)
        walk(chain)
        fan_in(chain)
    return {stage: counts[f"stage_calls.{stage}"] for stage in STAGE_NAMES if counts[f"stage_calls.{stage}"]}


def calls_through_tokens(chain: Chain, work: Iterable[str] = ()) -> dict[str, int]:
    """Ingest, walk and fan in as far as tokens; return counter -> number, without those that are 0.

    Args:
        chain: Of any modality.
        work: Counters that the modality keeps beside the calls of its stages.
    """
    with monitoring.counting() as counts:
        ingest(chain)
        walk(chain)
        fan_in(chain, ("manifest", "tokens"))
    stages = {stage: counts[f"stage_calls.{stage}"] for stage in STAGE_NAMES}
    return {name: n for name, n in {**stages, **{name: counts[name] for name in work}}.items() if n}


def rebuilt(chain: Chain, only: Iterable[str], work: Iterable[str] = ()) -> dict[str, int]:
    """Run the chain; check that no upload but those named has other entries than before; return the calls."""
    ingest(chain)
    before = {record.key: record.entries for record in chain.uploads.all()}
    calls = calls_through_tokens(chain, work)
    after = {record.key: record.entries for record in chain.uploads.all()}
    untouched = set(after) - set(only)
    assert {key: after[key] for key in untouched} == {key: before[key] for key in untouched}
    return calls


def outcomes(found: Mapping[str, UploadOutcome]) -> dict[str, dict[str, str]]:
    """Return key -> stage -> outcome, in words."""
    return {key: {stage: item.outcome for stage, item in held.stages.items()} for key, held in found.items()}


def outputs(root: Path, modality: str = "toy") -> dict[str, str]:
    """Return (location of entry/file) -> digest of its bytes on disk, for all that valid records list."""
    found = {}
    for stage in STAGE_NAMES:
        for path in sorted((root / stage / modality).glob(f"*/*/{RECORD_NAME}")):
            record = record_from_bytes(path.read_bytes(), str(path))
            for name in record.outputs:
                file = path.parent / name
                found[file.relative_to(root).as_posix()] = sha256_file(file)
    return found


def data_versions(root: Path, modality: str = "toy") -> dict[str, str]:
    """Return location of entry -> data version."""
    return {
        path.parent.relative_to(root).as_posix(): record_from_bytes(path.read_bytes(), str(path)).data_version
        for stage in STAGE_NAMES
        for path in sorted((root / stage / modality).glob(f"*/*/{RECORD_NAME}"))
    }


@contextmanager
def opened_below(root: Path) -> Iterator[list[str]]:
    """Collect the files below a folder that this process opens, relative to it."""
    if not _hooked:  # an audit hook cannot be removed: one for the life of the process
        sys.addaudithook(_hear)
        _hooked.append(True)
    heard: list[str] = []
    _listeners.append(heard)
    found: list[str] = []
    try:
        yield found
    finally:
        _listeners.remove(heard)
        prefix = f"{root}/"
        found += [path.removeprefix(prefix) for path in heard if path.startswith(prefix)]


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _listeners:
        path = arguments[0]
        text = path.decode(errors="replace") if isinstance(path, bytes) else str(path)
        for heard in _listeners:
            heard.append(text)
