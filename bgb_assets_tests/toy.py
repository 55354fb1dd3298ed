"""A whole modality that takes milliseconds: folders of two text files, through all seven stages to a model.

For tests and benchmarks of the machinery. Every stage is a pure function and real: what it writes depends on what
it read, bytes are stable, and a change of one file reaches only the stages that read it. An upload is a folder
(or a zip) with `a.txt` (whole numbers) and `b.txt` (words, may be missing).

An upload asks for trouble by a word in `a.txt` or `b.txt`: `!bad:STAGE` (BadInput), `!raise:STAGE` (a bug),
`!kill:STAGE` (the process dies), `!full:STAGE` (no space left). `fingerprint` is a stage here too. Trouble but `!bad`
is called off by a file `calm` in the folder that the variable `BGB_TOY_DIR` names; there each call of a stage
function also leaves a line in `calls`, whichever process made it. `stall` and `pause_s` there: see `call_noted`.

Belongs here: the toy and how to vary it (`with_stage`). Does not belong here: fixtures (`conftest`).
"""

import dataclasses
import errno
import hashlib
import json
import os
import random
import signal
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.contract import FanIn, Found, Modality, PartPlan, Parts, Reads, Stage, StageResult
from bgb_assets.runtime.errors import BadInput

TOY_DIR = "BGB_TOY_DIR"
MODULE = "bgb_assets_tests.toy"
TABLES: Mapping[str, Any] = {}


@dataclass(frozen=True)
class RawParams:
    """Params of raw."""

    lower: bool = True


@dataclass(frozen=True)
class CacheParams:
    """Params of cache."""

    scale: int = 1


@dataclass(frozen=True)
class FeatureParams:
    """Params of features: one part per window."""

    windows: tuple[int, ...] = (2, 3)


@dataclass(frozen=True)
class NoteParams:
    """Params of notes."""

    offset: float = 0.0
    label: str | None = None


@dataclass(frozen=True)
class ManifestParams:
    """Params of manifest: members are compacted into this many buckets at most."""

    buckets: int = 4


@dataclass(frozen=True)
class TokenParams:
    """Params of tokens."""

    base: int = 10


@dataclass(frozen=True)
class ModelParams:
    """Params of a model variant; `steps` checkpoints are written."""

    steps: int = 5
    power: float = 1.0


def discover(root: Path) -> Iterator[Found]:
    """Yield every folder and every zip directly below a folder, or the folder itself if it is one."""
    if (root / "a.txt").is_file():
        yield Found(root.resolve().name, tuple(sorted(item.name for item in root.iterdir() if item.is_file())))
        return
    for path in sorted(root.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            files = sorted(item.relative_to(root).as_posix() for item in path.rglob("*") if item.is_file())
            yield Found(path.name, tuple(files))
        elif path.suffix == ".zip":
            yield Found(path.name, (path.name,))


def fingerprint(directory: Path) -> Mapping[str, str]:
    """Return the digests of `a.txt` and of `b.txt`, where there is one."""
    call_noted("fingerprint", directory / "a.txt", directory / "b.txt")
    if not (directory / "a.txt").is_file():
        raise BadInput("no a.txt, expected a.txt with whole numbers", "add the file")
    return {name: _digest_file(directory / f"{name}.txt") for name in "ab" if (directory / f"{name}.txt").is_file()}


def cost_bytes(directory: Path) -> int:
    """Return a bound on memory: the size of `a.txt` in bytes, times 16."""
    return (directory / "a.txt").stat().st_size * 16


def raw(inputs: Mapping[str, Path], params: RawParams, out: Path) -> StageResult:
    """Parse both files; numbers and words are facets of their own."""
    upload = inputs["upload"]
    call_noted("raw", upload / "a.txt", upload / "b.txt")
    numbers = [word if word.startswith("!") else _whole(word) for word in _words(upload / "a.txt")]
    words = _words(upload / "b.txt")
    words = [word.lower() for word in words] if params.lower else words
    facets = {"numbers": _write(out / "numbers.json", numbers), "words": _write(out / "words.json", words)}
    return StageResult(facets, {"words": len(words)}, references={"text": "a.txt"})


def cache(inputs: Mapping[str, Path], params: CacheParams, out: Path) -> StageResult:
    """Write the numbers as little-endian int32, read from the delivered file itself; trouble is handed on."""
    text = inputs["upload"] / "a.txt"
    call_noted("cache", text)
    numbers = [int(word) * params.scale for word in _words(text) if not word.startswith("!")]
    if not numbers:
        return StageResult(absent="no numbers")
    (out / "numbers.bin").write_bytes(struct.pack(f"<{len(numbers)}i", *numbers))
    (out / "asked.txt").write_text(" ".join(word for word in _words(text) if word.startswith("!")))
    signal_digest = _digest([_digest_file(out / "numbers.bin"), _digest_file(out / "asked.txt")])
    return StageResult({"signal": signal_digest}, {"count": len(numbers)})


def plan_features(inputs: Mapping[str, Path], params: FeatureParams) -> Mapping[str, PartPlan]:
    """Return one part per window, none where there is no signal."""
    signal_file = inputs["cache"] / "numbers.bin"
    if not signal_file.is_file():
        return {}
    digest = _digest_file(signal_file)
    return {f"w{window}": PartPlan({"signal": digest}, {"window": window}) for window in params.windows}


def features_part(name: str, inputs: Mapping[str, Path], params: FeatureParams, out: Path) -> StageResult:
    """Write the running sums of one window."""
    numbers = _numbers(inputs["cache"] / "numbers.bin")
    window = int(name.removeprefix("w"))
    sums = [sum(numbers[i : i + window]) for i in range(max(len(numbers) - window + 1, 0))]
    (out / "sums.bin").write_bytes(struct.pack(f"<{len(sums)}q", *sums))
    return StageResult({"sums": _digest_file(out / "sums.bin")})


def features(inputs: Mapping[str, Path], params: FeatureParams, out: Path) -> StageResult:
    """List the parts' digests; absent where there is no signal."""
    call_noted("features", inputs["cache"] / "asked.txt")
    parts = inputs.get("parts")
    if parts is None:
        return StageResult(absent="no numbers")
    return StageResult(
        {"sums": _write(out / "features.json", {p.name: _digest_file(p / "sums.bin") for p in sorted(parts.iterdir())})}
    )


def notes(inputs: Mapping[str, Path], params: NoteParams, out: Path) -> StageResult:
    """Join words, numbers and what features there are."""
    call_noted("notes", inputs["raw"] / "words.json")
    numbers = [item for item in json.loads((inputs["raw"] / "numbers.json").read_text()) if isinstance(item, int)]
    words = json.loads((inputs["raw"] / "words.json").read_text())
    listing = inputs["features"] / "features.json"
    value = {
        "numbers": [number + params.offset for number in numbers],
        "words": words,
        "windows": sorted(json.loads(listing.read_text())) if listing.is_file() else [],
        "label": params.label,
    }
    facets = {"notes": _write(out / "notes.json", value), "values": _digest(value["numbers"])}
    return StageResult(facets, {"words": len(words)})


def plan_manifest(fan_in: FanIn, params: ManifestParams) -> Mapping[str, PartPlan]:
    """Return one part per bucket of members; the bucket is a function of the member's content."""
    buckets: dict[int, list[tuple[str, str]]] = {}
    for member in fan_in.members:
        facets = member.entries["notes"].facets
        buckets.setdefault(_bucket(facets["values"], params), []).append((facets["notes"], member.key))
    return {
        f"bucket_{bucket:04d}": PartPlan(
            {"members": _digest(sorted(digest for digest, _ in held))}, members=tuple(key for _, key in sorted(held))
        )
        for bucket, held in sorted(buckets.items())
    }


def _bucket(digest: str, params: ManifestParams) -> int:
    return int(digest[:8], 16) % params.buckets


def manifest_part(name: str, fan_in: FanIn, params: ManifestParams, out: Path) -> StageResult:
    """Write the notes of a bucket's members, in the order of the plan: by content, not by key."""
    held = [json.loads((member.entries["notes"].directory / "notes.json").read_text()) for member in fan_in.members]
    return StageResult({"bucket": _write(out / "bucket.json", held)})


def manifest(fan_in: FanIn, params: ManifestParams, out: Path) -> StageResult:
    """List every member with its split, and the buckets."""
    call_noted("manifest")
    pins = fan_in.pins / "splits.json"
    pinned = json.loads(pins.read_text()) if pins.is_file() else {}
    rows = [
        {
            "upload": member.key,
            "values": member.entries["notes"].facets["values"],
            "split": pinned.get(member.key, 0),
            "source": member.labels["source"],
            "bucket": _bucket(member.entries["notes"].facets["values"], params),
        }
        for member in fan_in.members
    ]
    buckets = {name: view.location for name, view in fan_in.parts.items()}
    return StageResult({"rows": _write(out / "rows.json", rows), "buckets": _write(out / "buckets.json", buckets)})


def plan_tokens(fan_in: FanIn, params: TokenParams) -> Mapping[str, PartPlan]:
    """Return one shard per bucket of the manifest."""
    shards: dict[int, list[tuple[str, str]]] = {}
    for row in json.loads((fan_in.inputs["manifest"] / "rows.json").read_text()):
        shards.setdefault(row["bucket"], []).append((row["values"], row["upload"]))
    return {
        f"shard_{bucket:04d}": PartPlan(
            {"members": _digest(sorted(digest for digest, _ in held))},
            {"base": params.base},
            tuple(key for _, key in sorted(held)),
        )
        for bucket, held in sorted(shards.items())
    }


def tokens_part(name: str, fan_in: FanIn, params: TokenParams, out: Path) -> StageResult:
    """Write one shard: int32 tokens of all members, one after the other."""
    held = [json.loads((member.entries["notes"].directory / "notes.json").read_text()) for member in fan_in.members]
    values = [int(number) % params.base for notes_ in held for number in notes_["numbers"]]
    (out / "tokens.bin").write_bytes(struct.pack(f"<{len(values)}i", *values))
    return StageResult({"shard": _digest_file(out / "tokens.bin")}, {"tokens": len(values)})


def tokens(fan_in: FanIn, params: TokenParams, out: Path) -> StageResult:
    """List the shards by their place below the store root."""
    call_noted("tokens")
    shards = [{"location": view.location, "digest": view.facets["shard"]} for _, view in sorted(fan_in.parts.items())]
    _write(out / "index.json", {"shards": shards})
    # The place of a shard is a name, not content: the facet holds the digests alone.
    return StageResult({"tokens": _digest([shard["digest"] for shard in shards])})


def model(fan_in: FanIn, params: ModelParams, out: Path) -> StageResult:
    """Train: each step adds every token's power to a sum and leaves a checkpoint that a killed run goes on from."""
    call_noted("model")
    index = json.loads((fan_in.inputs["tokens"] / "index.json").read_text())
    values: list[int] = []
    for shard in index["shards"]:
        values += _numbers(fan_in.root / shard["location"] / "tokens.bin")
    checkpoint = fan_in.inputs["work"] / "checkpoint.json"
    state = json.loads(checkpoint.read_text()) if checkpoint.is_file() else {"step": 0, "weight": 0.0}
    for step in range(state["step"], params.steps):
        call_noted(f"step {step}")
        weight = state["weight"] + sum(abs(value) ** params.power for value in values) * (step + 1)
        state = {"step": step + 1, "weight": weight}
        temporary = checkpoint.with_suffix(".tmp")
        temporary.write_text(json.dumps(state))
        temporary.replace(checkpoint)
    logs = fan_in.inputs["logs"]
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "log.txt").write_text(f"{os.getpid()} {time.time()}\n")
    return StageResult({"weights": _write(out / "model.json", {"weight": state["weight"], **fan_in.lineage})})


def synth(out: Path, n: int, seed: int) -> Mapping[str, Any]:
    """Write `n` byte-stable uploads; return key -> numbers as the truth."""
    truth = {}
    for i in range(n):
        dice = random.Random(f"{seed}/{i}")
        numbers = [dice.randrange(1000) for _ in range(dice.randrange(4, 12))]
        truth[f"toy_{i:05d}"] = numbers
        write_upload(out / f"toy_{i:05d}", " ".join(map(str, numbers)), f"Word{dice.randrange(100)} word")
    return truth


def write_upload(folder: Path, a: str = "1 2 3 4", b: str | None = "one two") -> Path:
    """Write one upload folder; `b` None leaves `b.txt` out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.txt").write_text(a)
    if b is not None:
        (folder / "b.txt").write_text(b)
    return folder


def with_stage(modality: Modality, name: str, **changes: Any) -> Modality:
    """Return the modality with fields of one stage replaced: another code version, function or declaration."""
    stages = tuple(dataclasses.replace(s, **changes) if s.name == name else s for s in modality.stages)
    return dataclasses.replace(modality, stages=stages)


def calls_made(toy_dir: Path) -> list[str]:
    """Return what was called in any process, in order: a stage's name, or `step N`."""
    path = toy_dir / "calls"
    return path.read_text().splitlines() if path.is_file() else []


def call_noted(stage: str, *files: Path) -> None:
    """Leave a line in `calls`, then do what the files ask for.

    A file `stall` in the toy folder that holds the stage's name makes the call wait until it is killed, after it
    wrote `stalled`; `pause_s` holds the seconds that every call takes.
    """
    toy_dir = Path(os.environ[TOY_DIR]) if os.environ.get(TOY_DIR) else None
    if toy_dir is not None:
        with (toy_dir / "calls").open("a") as file:
            file.write(f"{stage}\n")
        if (toy_dir / "pause_s").is_file():
            time.sleep(float((toy_dir / "pause_s").read_text()))
        if (toy_dir / "stall").is_file() and (toy_dir / "stall").read_text() == stage:
            (toy_dir / "stalled").touch()
            signal.pause()
    asked = [word for file in files if file.is_file() for word in _troubles(file)]
    calm = toy_dir is not None and (toy_dir / "calm").is_file()
    for word in asked:
        _make_trouble(word, stage, calm)


def _troubles(file: Path) -> list[str]:
    data = file.read_bytes()
    return [word.strip('",[]') for word in data.decode().split()] if b"!" in data else []


def _make_trouble(word: str, stage: str, calm: bool) -> None:
    if word == f"!bad:{stage}":
        raise BadInput(f"the upload says {word!r}, expected peace", "take the word out")
    if calm:
        return
    if word == f"!raise:{stage}":
        raise ValueError(f"a bug in {stage}")
    if word == f"!kill:{stage}":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == f"!full:{stage}":
        raise OSError(errno.ENOSPC, "No space left on device")


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.is_file() else []


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise BadInput(f"a.txt holds {word!r}, expected a whole number", "correct the word") from error


def _numbers(path: Path) -> Sequence[int]:
    data = path.read_bytes()
    return struct.unpack(f"<{len(data) // 4}i", data)


def _write(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value, sort_keys=True) + "\n")
    return _digest_file(path)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _digest_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


_DESCRIPTION = "For tests."

MODALITY = Modality(
    name="toy",
    upload_noun="toy",
    description="Folders of two text files, for tests of the machinery.",
    discover=f"{MODULE}:discover",
    fingerprint=f"{MODULE}:fingerprint",
    cost_bytes=f"{MODULE}:cost_bytes",
    upload_facets=("a", "b"),
    tables=f"{MODULE}:TABLES",
    synth=f"{MODULE}:synth",
    variants={"sum": ModelParams(), "square": ModelParams(power=2.0)},
    default_variant="sum",
    stages=(
        Stage(
            name="raw",
            run=f"{MODULE}:raw",
            code_version="1",
            description=_DESCRIPTION,
            params=RawParams(),
            reads=(Reads("upload", ("a", "b"), ("*",)),),
            publishes=("numbers", "words"),
        ),
        Stage(
            name="cache",
            run=f"{MODULE}:cache",
            code_version="1",
            description=_DESCRIPTION,
            params=CacheParams(),
            reads=(Reads("raw", ("numbers",)), Reads("upload", (), ("@text",))),
            publishes=("signal",),
        ),
        Stage(
            name="features",
            run=f"{MODULE}:features",
            code_version="1",
            description=_DESCRIPTION,
            params=FeatureParams(),
            reads=(Reads("cache", ("signal",), ("numbers.bin", "asked.txt")),),
            publishes=("sums",),
            parts=Parts(f"{MODULE}:plan_features", f"{MODULE}:features_part"),
        ),
        Stage(
            name="notes",
            run=f"{MODULE}:notes",
            code_version="1",
            description=_DESCRIPTION,
            params=NoteParams(),
            reads=(
                Reads("raw", ("numbers", "words"), ("*.json",)),
                Reads("features", ("sums",), ("features.json",)),
            ),
            publishes=("notes", "values"),
        ),
        Stage(
            name="manifest",
            run=f"{MODULE}:manifest",
            code_version="1",
            description=_DESCRIPTION,
            params=ManifestParams(),
            reads=(Reads("notes", ("notes", "values"), ("notes.json",)), Reads("upload", ())),
            publishes=("rows", "buckets", "bucket"),
            parts=Parts(f"{MODULE}:plan_manifest", f"{MODULE}:manifest_part"),
            pins=True,
        ),
        Stage(
            name="tokens",
            run=f"{MODULE}:tokens",
            code_version="1",
            description=_DESCRIPTION,
            params=TokenParams(),
            reads=(Reads("manifest", ("rows",), ("rows.json",)), Reads("notes", ("values",), ("notes.json",))),
            publishes=("tokens", "shard"),
            parts=Parts(f"{MODULE}:plan_tokens", f"{MODULE}:tokens_part"),
        ),
        Stage(
            name="model",
            run=f"{MODULE}:model",
            code_version="1",
            description=_DESCRIPTION,
            reads=(Reads("tokens", ("tokens",), ("index.json",)),),
            publishes=("weights",),
            resumable=True,
        ),
    ),
)
