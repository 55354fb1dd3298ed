"""What a modality is: the one thing a newcomer must learn.

A `Modality` is a frozen description: how its uploads are found and identified, and the seven stages
that take an upload from raw bytes to a trained model. A `Stage` names a pure function and declares all
that the function may read. The engine (`bgb_assets.chain`), never the modality, decides whether a
function is called: it hashes what the stage declares and looks the result up in the stage store.

Belongs here: the types every modality is written against, and the checks that they fit together.
Does not belong here: anything that knows one modality, touches a disk or imports dagster.
Functions are named by import string (`"package.module:function"`) and resolved in the worker that runs
them, so that describing a modality imports neither torch nor librosa. Next in the flow: `bgb_assets.chain`.

The functions, by import string:

* `discover(root: Path) -> Iterator[Found]`: the uploads below a folder, wrong-looking ones included.
* `fingerprint(directory: Path) -> Mapping[str, str]`: facet name -> SHA-256, for the parts of one upload.
  Raises `BadInput` where it cannot recognise the upload at all; what needs parsing is `raw`'s to refuse.
* `cost_bytes(directory: Path) -> int`: a bound on the memory one upload takes in a worker.
* a per-upload stage: `run(inputs: Mapping[str, Path], params, out: Path) -> StageResult`, where `inputs`
  maps each declared source to a read-only directory that holds the declared files and nothing else, and
  `out` is an empty directory.
* a fan-in stage: `run(fan_in: FanIn, params, out: Path) -> StageResult`. `params` of the model stage is the
  variant's dataclass. What the shared machinery expects of their files: `storage.manifest` (rows.parquet,
  manifest.json), `storage.splits`, `storage.tables`, `storage.shards` (index.json), `training.spec`.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bgb_assets.runtime.errors import ContractError

UPLOAD = "upload"
"""Source name of the delivered files themselves."""

STAGE_NAMES = ("raw", "cache", "features", "notes", "manifest", "tokens", "model")
PER_UPLOAD_STAGES = STAGE_NAMES[:4]
FAN_IN_STAGES = STAGE_NAMES[4:]

_IMPORT_STRING = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


@dataclass(frozen=True)
class Reads:
    """One source a stage reads.

    Attributes:
        source: `"upload"` or the name of an earlier stage.
        facets: Patterns (`fnmatch`) of the facets that enter the identity. Each must be one that the
            source publishes, letter for letter, so that a typing error cannot drop an input.
        files: Patterns of the files handed over, relative paths. The default hands over none: the
            facets alone decide, and nothing can be opened. A pattern may match nothing (an absent input).
    """

    source: str
    facets: tuple[str, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """Named pieces of a stage's output with identities of their own, so that a change remakes one piece.

    Attributes:
        plan: `plan(inputs_or_fan_in, params) -> Mapping[name, PartPlan]`, cheap and pure.
        run: `run(name, inputs_or_fan_in, params, out) -> StageResult`, called for the parts that are missing.
    """

    plan: str
    run: str


@dataclass(frozen=True)
class PartPlan:
    """What one part is made of.

    Attributes:
        facets: Content digests that identify the part, with `params`.
        params: The fields of the stage's params that the part depends on.
        members: For a fan-in stage, the keys of the uploads whose entries the part reads.
    """

    facets: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageResult:
    """What a stage function returns; its files lie in `out`.

    Attributes:
        facets: Name -> SHA-256 (64 lower-case hex digits) of what downstream stages may depend on. One that is
            declared may be missing where there is nothing to digest.
        metadata: Plain JSON values (no numpy scalars) for people and fan-ins: counts, durations of signals,
            flags. A function of the inputs; never part of a later identity, so publish a facet as well.
        warnings: Sentences a person should read; the upload goes on.
        absent: Why there is nothing to do here (a map without audio), or None. Not an error. Later stages are
            called all the same, with an empty directory for this source: each says what it does without it.
        references: Name -> relative path of an upload file that later stages may ask for with
            `Reads("upload", files=("@name",))`, so that large files are not copied into entries.
        observed: What differs from run to run (seconds, library versions). Never part of an identity.
    """

    facets: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    absent: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    observed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """One upload seen below a folder.

    Attributes:
        path: Relative POSIX path that names the upload; its key is this path with odd characters escaped and
            an archive suffix left out. Usually a folder or a file; only a name where files belong together
            without a folder of their own.
        files: Relative POSIX paths, from the same root, of all its files, sidecars included; empty for an empty
            folder. What is not listed is not copied, not watched and not handed over. One file ending in an
            archive suffix (.zip, .tar, .tar.gz, .tgz) is opened by the engine, so that the modality always sees
            a directory; `discover` has to yield archives too.
    """

    path: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class EntryView:
    """One entry of the stage store, as a fan-in stage sees it.

    Attributes:
        identity: The entry's identity.
        location: Its directory relative to the store root, for index files: `features/beatmap/ab/abcd...`.
        directory: A read-only directory with the declared files.
    """

    identity: str
    location: str
    facets: Mapping[str, str]
    metadata: Mapping[str, Any]
    directory: Path
    absent: str | None = None


@dataclass(frozen=True)
class Member:
    """One upload in a fan-in: what is not content (`labels`) and the entries of the declared stages.

    Attributes:
        key: The upload's key.
        labels: Values that are not content: `source`, `origin`, `popularity` and `facts`, the last two mappings
            that a source fills (an inbox gives none). Empty unless the stage declares `Reads("upload", ...)`,
            which puts them into its identity too.
    """

    key: str
    labels: Mapping[str, Any]
    entries: Mapping[str, EntryView]


@dataclass(frozen=True)
class FanIn:
    """What a fan-in stage reads.

    Attributes:
        members: The uploads, sorted by key, without the quarantined ones. May be iterated more than once.
        inputs: Source -> directory of the entries of earlier fan-in stages. A `resumable` stage finds
            `work` (survives a kill) and `logs` (outside all entries) here too.
        views: The same earlier fan-in entries with identity, facets and location.
        parts: This stage's parts by name; empty while they are planned and made.
        pins: Directory of committed pin files (`data/pins/<modality>`); may not exist.
        root: The store root, to resolve the locations that an index lists.
        lineage: What a model card says it came from: upstream stage -> params, code version and identity.
    """

    members: Sequence[Member]
    inputs: Mapping[str, Path]
    views: Mapping[str, EntryView]
    parts: Mapping[str, EntryView]
    pins: Path
    root: Path
    lineage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One step of the chain: a pure function and everything it may read.

    Attributes:
        name: One of `STAGE_NAMES`.
        run: Import string of the function.
        code_version: Raise it when the same inputs give other outputs.
        description: One or two sentences, shown in the web UI.
        params: A frozen dataclass with every default; `None` for none.
        reads: The sources, facets and files. Nothing else is handed over.
        publishes: Patterns of the facets in the result.
        kinds: Badges in the web UI.
        resumable: The function works on after a kill in a directory of its own (training).
        parts: Named pieces with identities of their own.
        pins: The committed pin files enter the identity (manifest stages). Groups that were found to be one are
            written with `storage.found_groups`; the engine appends them to the pins and runs the stage again.
        audits: For fan-in stages: check name -> import string of `audit(directory: Path, root: Path) ->
            list of problems`; shown as asset checks, done once per entry.
    """

    name: str
    run: str
    code_version: str
    description: str
    params: Any = None
    reads: tuple[Reads, ...] = ()
    publishes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("python",)
    resumable: bool = False
    parts: Parts | None = None
    pins: bool = False
    audits: Mapping[str, str] = field(default_factory=dict)

    @property
    def fan_in(self) -> bool:
        """Whether the stage reads all uploads at once."""
        return self.name in FAN_IN_STAGES


@dataclass(frozen=True)
class ArchiveLimits:
    """Bounds on an untrusted archive; beyond them the upload is refused whole."""

    max_entries: int = 2_000
    max_bytes: int = 1 << 30
    max_ratio: float = 200.0


@dataclass(frozen=True)
class Modality:
    """A kind of upload and the seven stages that turn it into models.

    Attributes:
        name: Short and lower-case: the first part of every asset key.
        upload_noun: What one upload is to its users: "song", "scan".
        description: One or two sentences, shown in the web UI.
        stages: The seven, in the order of `STAGE_NAMES`.
        upload_facets: Patterns of the facets that `fingerprint` gives. `facts` is always there too: the
            digest of what a source says about the upload.
        tables: Import string of `Mapping[table, pyarrow.Schema]`: the schemas of the notes, one file
            `<table>.parquet` each, none where a table is empty. Held by the shared tests of all modalities.
        variants: Model variant -> frozen dataclass of its training params, every field written out.
        default_variant: The one to train when none is named.
        pictures: Import string of `pictures(stage, entries, root) -> Mapping[name, Figure]`, or None. `entries` maps
            stages to directories: those of one upload, or the corpus's manifest, tokens and model (with `logs`, its
            TensorBoard files), and `<stage>/<part>` to those of parts; what is not there is left out. Names are safe
            in file names, figures matplotlib's.
        file_pictures: Import string of `file_pictures(path) -> Mapping[name, Figure]` for one file or folder that no
            store knows, or None.
        explain: Import string of `explain(stage, before: Path, after: Path, facets) -> list of sentences`: how two
            entries of one upload differ in these facets, for `bgb why`; or None.
        synth: Import string of `synth(out: Path, n: int, seed: int) -> Mapping`: byte-stable uploads, marked as
            synthetic in their own format; returns upload path -> what is true of it.
    """

    name: str
    upload_noun: str
    description: str
    stages: tuple[Stage, ...]
    discover: str
    fingerprint: str
    cost_bytes: str
    upload_facets: tuple[str, ...]
    tables: str
    variants: Mapping[str, Any]
    default_variant: str
    synth: str
    pictures: str | None = None
    file_pictures: str | None = None
    explain: str | None = None
    archive_limits: ArchiveLimits = ArchiveLimits()

    def __post_init__(self) -> None:
        _check_modality(self)

    def stage(self, name: str) -> Stage:
        """Return the stage of that name.

        Raises:
            ContractError: There is none.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise ContractError(f"{self.name}: no stage {name!r}; there are {', '.join(STAGE_NAMES)}")

    @property
    def per_upload(self) -> tuple[Stage, ...]:
        """The stages that run once per upload, in order."""
        return tuple(stage for stage in self.stages if not stage.fan_in)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Say whether a facet or file name matches one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_modality(modality: Modality) -> None:
    where = f"modality {modality.name!r}"
    names = tuple(stage.name for stage in modality.stages)
    if names != STAGE_NAMES:
        raise ContractError(f"{where}: stages must be {STAGE_NAMES!r} in this order, got {names!r}")
    if modality.default_variant not in modality.variants:
        raise ContractError(
            f"{where}: default variant {modality.default_variant!r} is not in {tuple(modality.variants)!r}"
        )
    named = (modality.discover, modality.fingerprint, modality.cost_bytes, modality.tables, modality.synth)
    optional = (text for text in (modality.pictures, modality.file_pictures, modality.explain) if text is not None)
    for text in (*named, *optional):
        _check_import_string(where, text)
    published = {UPLOAD: (*modality.upload_facets, "facts")}
    for stage in modality.stages:
        _check_stage(f"{where}, stage {stage.name!r}", stage, published)
        published[stage.name] = stage.publishes
    for variant, params in modality.variants.items():
        _check_params(f"{where}, variant {variant!r}", params)


def _check_stage(where: str, stage: Stage, published: Mapping[str, tuple[str, ...]]) -> None:
    parts = [] if stage.parts is None else [stage.parts.plan, stage.parts.run]
    for text in (stage.run, *parts, *stage.audits.values()):
        _check_import_string(where, text)
    _check_params(where, stage.params)
    for read in stage.reads:
        if read.source not in published:
            raise ContractError(f"{where}: reads {read.source!r}, which is not an earlier stage")
        unknown = [facet for facet in read.facets if facet not in published[read.source]]
        if unknown:
            raise ContractError(
                f"{where}: reads facets {unknown!r} that {read.source!r} does not publish; "
                f"it publishes {published[read.source]!r}"
            )


def _check_params(where: str, params: Any) -> None:
    if params is None:
        return
    frozen = dataclasses.is_dataclass(params) and getattr(params, "__dataclass_params__").frozen  # noqa: B009
    if not frozen or isinstance(params, type):
        raise ContractError(f"{where}: params must be an instance of a frozen dataclass, got {params!r}")


def _check_import_string(where: str, text: str) -> None:
    if not _IMPORT_STRING.match(text):
        raise ContractError(f"{where}: {text!r} is not of the form 'package.module:name'")


def iterate_reads(stage: Stage, source: str) -> Iterator[Reads]:
    """Yield the stage's declarations for one source."""
    return (read for read in stage.reads if read.source == source)
