"""Golden outputs: what each stage makes of a fixed upload, kept beside its code version.

`python -m bgb_assets_tests.modalities.golden` writes them anew after a `code_version` was raised. Whole numbers,
texts and audio samples are kept as digests; of numbers with a fraction, which differ in their last digits from one
kind of processor to another, a few and their sums, compared within `TOLERANCE`; a golden upload names the files of
whole numbers that were rounded from such (`ROUNDED`), which are kept as shares of the full range.
Belongs here: describing outputs and comparing the descriptions. Does not belong here: the uploads (each modality's
`golden_upload`).
"""

import hashlib
import importlib
import json
import math
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.chain import Chain
from bgb_assets.modalities import registry
from bgb_assets.modalities.contract import UPLOAD, Modality, Stage, matches
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.digests import as_plain
from bgb_assets.storage.records import RECORD_NAME, Record, record_from_bytes
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import fan_in, ingest, walk

PATH = Path(__file__).with_name("golden.json")
COMMAND = "python -m bgb_assets_tests.modalities.golden"
TOLERANCE, ABSOLUTE = 1e-3, 1e-4
INT16 = 32_767
"""Of full range: three whole numbers are less than `ABSOLUTE` of it."""
SOME = 12
"""So many numbers of an array are kept."""
SOME_OF_SIGNAL = 200

_PLACE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}|[0-9a-f]{64}")

Described = dict[str, Any]


def stages_of(modality: Modality) -> tuple[Stage, ...]:
    """Return the stages with golden outputs: all but training, whose weights depend on the machine."""
    return modality.stages[:-1]


def describe(modality: Modality, root: Path) -> dict[str, Described]:
    """Run the golden uploads in an empty data root; return stage -> code version, params and description."""
    uploads = importlib.import_module(f"bgb_assets_tests.modalities.{modality.name}.golden_upload")
    uploads.write(root / "inbox" / modality.name)
    rounded = getattr(uploads, "ROUNDED", {})
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    chain = Chain(modality, load_settings({"BGB_DATA_ROOT": str(root)}), InProcessExecutor())
    ingest(chain)
    found = walk(chain)
    made = fan_in(chain, [stage.name for stage in stages_of(modality) if stage.fan_in])
    return {
        stage.name: {
            "code_version": stage.code_version,
            "params": as_plain(stage.params),
            "output": {
                name: _entry(chain, record, rounded.get(stage.name, ()), exact=not stage.fan_in)
                for name, record in (
                    [("", made[stage.name].record)]
                    if stage.fan_in
                    else [(key, outcome.stages[stage.name].record) for key, outcome in found.items()]
                )
                if record is not None
            },
        }
        for stage in stages_of(modality)
    }


def problems(modality: Modality, held: Mapping[str, Described], now: Mapping[str, Described]) -> list[str]:
    """Return what is to be done about outputs that are not the golden ones, for the stages that began it."""
    found = []
    differing = {name for name in now if differences(held.get(name, {}).get("output"), now[name]["output"])}
    for stage in stages_of(modality):
        where = f"{modality.name}/{stage.name}"
        if stage.name not in held:
            found.append(f"{where}: no golden output yet; run `{COMMAND}`")
        elif held[stage.name]["code_version"] != stage.code_version:
            found.append(f"{where}: code_version is {stage.code_version!r} now; run `{COMMAND}`")
        elif differences(held[stage.name]["params"], as_plain(stage.params)):
            found.append(f"{where}: its params are others now; run `{COMMAND}`")
        elif stage.name in differing and not differing & _upstream(modality, stage):
            first = differences(held[stage.name]["output"], now[stage.name]["output"])[0]
            found.append(
                f"{where}: the output changed and code_version {stage.code_version!r} did not ({first}); "
                f"raise code_version of {where}, then run `{COMMAND}`"
            )
    return found


def differences(old: Any, new: Any, where: str = "output") -> list[str]:
    """Return where two descriptions differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = sorted({*old, *new})
        return [line for name in names for line in differences(old.get(name), new.get(name), f"{where}.{name}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line for at, pair in enumerate(zip(old, new, strict=True)) for line in differences(*pair, f"{where}.{at}")
        ]
    if isinstance(old, float) and isinstance(new, float):
        return [] if math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=ABSOLUTE) else [f"{where} {old} -> {new}"]
    return [] if old == new and type(old) is type(new) else [f"{where} {old!r:.80} -> {new!r:.80}"]


def _upstream(modality: Modality, stage: Stage) -> set[str]:
    """Return the stages that a stage's output follows from, itself aside."""
    direct = {read.source for read in stage.reads if read.source != UPLOAD}
    return direct.union(*(_upstream(modality, modality.stage(name)) for name in direct))


def _entry(chain: Chain, record: Record, rounded: Sequence[str], *, exact: bool) -> Described:
    """Describe an entry's files, those of its parts below their names, and what it tells people."""
    described: Described = {"absent": record.absent, "facets": sorted(record.facets)}
    for name, directory in _directories(chain, record):
        files = (path for path in sorted(directory.rglob("*")) if path.is_file() and path.name != RECORD_NAME)
        for path in files:
            held = rounded_samples(path) if matches(path.name, tuple(rounded)) else _file(path, exact=exact)
            described[f"{name}{path.relative_to(directory).as_posix()}"] = held
    return described


def _directories(chain: Chain, record: Record) -> Iterator[tuple[str, Path]]:
    yield "", chain.store.directory(record)
    for name, identity in record.parts.items():
        directory = chain.store.layout.entry(record.stage, record.modality, identity)
        part = record_from_bytes((directory / RECORD_NAME).read_bytes(), name)
        yield f"{name}/", chain.store.directory(part)


def _file(path: Path, *, exact: bool) -> Any:
    if path.suffix == ".npy":
        return _array(np.load(path))
    if path.suffix == ".parquet":
        return _table(pq.read_table(path), exact=exact)
    if path.suffix == ".json":
        fractions: list[float] = []
        value = _without_fractions(json.loads(path.read_bytes()), fractions, exact=exact)
        return {"digest": _digest(value), "fractions": _numbers(np.array(fractions, np.float64))}
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rounded_samples(path: Path) -> Described:
    """Describe 16-bit samples that were rounded from fractions, as shares of the full range."""
    return _numbers(np.fromfile(path, "<i2") / INT16, SOME_OF_SIGNAL)


def _array(array: np.ndarray) -> Described:
    shape = {"dtype": array.dtype.str, "shape": list(array.shape)}
    if array.dtype.kind == "f":
        columns = array.astype(np.float64).reshape(-1, array.shape[-1]).mean(axis=0) if array.ndim > 1 else []
        means = [_short(value) for value in columns]
        return {**shape, "column_means": means, "fractions": _numbers(array.astype(np.float64).ravel())}
    return {**shape, "digest": hashlib.sha256(array.tobytes()).hexdigest()}


def _table(table: pa.Table, *, exact: bool) -> Described:
    described: Described = {}
    for field in table.schema:
        values = table.column(field.name).to_pylist()
        if pa.types.is_floating(field.type):
            numbers = np.array([math.nan if value is None else value for value in values], np.float64)
            described[field.name] = {"type": str(field.type), "fractions": _numbers(numbers)}
        else:
            value = _without_fractions(values, [], exact=exact)
            described[field.name] = {"type": str(field.type), "digest": _digest(value)}
    return described


def _numbers(values: np.ndarray, most: int = SOME) -> Described:
    """Return how many numbers there are and are finite, their sums, and some of them, evenly spread."""
    finite = values[np.isfinite(values)]
    some = finite[np.linspace(0, len(finite) - 1, min(most, len(finite))).astype(np.int64)] if len(finite) else finite
    return {
        "count": len(values),
        "finite": len(finite),
        "mean": _short(finite.mean()) if len(finite) else 0.0,
        "rms": _short(np.sqrt(np.mean(finite**2))) if len(finite) else 0.0,
        "some": [_short(value) for value in some],
    }


def _short(value: Any) -> float:
    return float(f"{value:.7g}")


def _without_fractions(value: Any, fractions: list[float], *, exact: bool) -> Any:
    """Take numbers with a fraction out of a value; where not `exact`, digests, places and sizes of files too."""
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if exact or name != "bytes"}
        return {name: _without_fractions(item, fractions, exact=exact) for name, item in sorted(kept.items())}
    if isinstance(value, list):
        return [_without_fractions(item, fractions, exact=exact) for item in value]
    if isinstance(value, float):
        fractions.append(value)
        return None
    return _PLACE.sub("*", value) if isinstance(value, str) and not exact else value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _listed(value: Any) -> str:
    """Return JSON with one line per file or column, so that a difference is read in one line."""
    text = json.dumps(value, indent=1, sort_keys=True)
    for innermost in (r"\[[^\[\]{}]*\]", r"\{[^{}]*\}"):
        text = re.sub(innermost, lambda found: re.sub(r"\s*\n\s*", " ", found.group()), text)
    return text + "\n"


def main() -> int:
    """Write the golden outputs of all modalities, unless a stage changed its output and not its version."""
    held = json.loads(PATH.read_text()) if PATH.is_file() else {}
    now = {}
    for modality in registry.modalities():
        with tempfile.TemporaryDirectory() as folder:
            now[modality.name] = describe(modality, Path(folder))
        told = problems(modality, held.get(modality.name, {}), now[modality.name])
        if refused := [line for line in told if "did not" in line]:
            print("\n".join(refused), file=sys.stderr)
            return 1
    PATH.write_text(_listed(now))
    return 0


if __name__ == "__main__":
    sys.exit(main())
