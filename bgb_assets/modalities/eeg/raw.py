"""Stage raw: recognises one delivered recording, checks it and what was noted about it, and names its parts by content.

Belongs here: how uploads are found below a folder, what identifies one, and the stage's files and facets.
Does not belong here: formats of recordings (`recordings`) and of annotations (`annotations`).
Next in the flow: `cache` stores the samples, `notes` makes tables of the events.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bgb_assets.modalities.contract import Found, StageResult
from bgb_assets.modalities.eeg.annotations.edf_texts import DEFAULT_PATTERNS
from bgb_assets.modalities.eeg.annotations.sidecars import read_annotations
from bgb_assets.modalities.eeg.recordings.channels import Choice, choose
from bgb_assets.modalities.eeg.recordings.digests import canonical_json, file_digest, json_digest
from bgb_assets.modalities.eeg.recordings.folders import (
    RecordingFiles,
    files_below,
    in_folder,
    is_folder_recording,
    listing,
    only_recording,
)
from bgb_assets.modalities.eeg.recordings.opening import open_recording
from bgb_assets.modalities.eeg.recordings.places import Place, place_of
from bgb_assets.modalities.eeg.recordings.recording import Recording, duration_s
from bgb_assets.runtime.archives import archive_suffix

RECORDING_FILE = "recording.json"
ANNOTATIONS_FILE = "annotations.json"
META_FILE = "meta.json"

# Filters work channel by channel on float64 copies, in blocks for a long recording; MNE's formats may be held whole.
_BASE_BYTES = 64 << 20
_FACTOR = 6
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class RawParams:
    """How a recording's annotations are taken.

    Attributes:
        unlabelled: What a recording without annotations is: "quarantine" refuses it, "background" says that it has
            no seizure, "inference_only" lets it through without ever training on it.
        trust: Where labels do not fit the signal: "labels" refuses the recording, "signal" clips them.
        extra_labels: Further labels, and whether each is a seizure.
        edf_text_patterns: What texts inside a recording mean; see `annotations.edf_texts.DEFAULT_PATTERNS`.
    """

    unlabelled: Literal["quarantine", "background", "inference_only"] = "quarantine"
    trust: Literal["labels", "signal"] = "labels"
    extra_labels: tuple[tuple[str, bool], ...] = ()
    edf_text_patterns: tuple[tuple[str, str], ...] = DEFAULT_PATTERNS


def discover(root: Path) -> Iterator[Found]:
    """Yield the recordings below a folder, each with its sidecars, a folder's own before those below; opens no file.

    A recording is named by its path without suffix; where two would have one name, the later has its suffix too.
    Annotations without a recording are no upload. Hidden and unfinished files are passed over, links to folders are
    not followed. Archives are uploads of their own.
    """
    if is_folder_recording(root.resolve().name):
        yield Found(root.resolve().name, tuple(files_below(root)))
        return
    yield from _below(root, "", frozenset({root.resolve().name.casefold()}))


def fingerprint(directory: Path) -> Mapping[str, str]:
    """Return the digests of the parts of one upload.

    `recording`: the bytes of its files; `sidecars`: those of its annotations, with the name that they must have;
    `place`: where the files lie, which says patient, visit and split.

    Raises:
        BadInput: There is no recording, or more than one.
    """
    found = only_recording(directory)
    sidecars = [[source, file_digest(directory / name)] for source, name in sorted(found.sidecars)]
    return {
        "recording": _bytes_digest(directory, found),
        "sidecars": json_digest([found.stem if sidecars else None, sidecars]),
        "place": json_digest([asdict(place_of(found.main)), found.files]),
    }


def cost_bytes(directory: Path) -> int:
    """Return a bound on the memory one upload takes in a worker, from file sizes alone."""
    found = only_recording(directory)
    size = sum((directory / name).stat().st_size for name in found.files)
    return _BASE_BYTES + min(_FACTOR * size, _MOST_BYTES)


def run(inputs: Mapping[str, Path], params: RawParams, out: Path) -> StageResult:
    """Read one upload and write `recording.json`, `annotations.json` and `meta.json`.

    Raises:
        BadInput: The recording or an annotation cannot be used; see `recordings` and `annotations`.
        ConfigError: A param that means nothing, or a format whose reader is not installed.
    """
    directory = inputs["upload"]
    found = only_recording(directory)
    recording = open_recording(directory / found.main)
    choice = choose(recording.signals)
    summary = recording_json(recording, choice)
    seconds = duration_s(recording.segments(choice.rate_hz), choice.rate_hz)
    texts = recording.texts()
    annotations = read_annotations(directory, found.main, seconds, params, texts.items)
    place = place_of(found.main)
    (out / RECORDING_FILE).write_bytes(canonical_json(summary))
    (out / ANNOTATIONS_FILE).write_bytes(canonical_json(annotations.as_json()))
    (out / META_FILE).write_bytes(canonical_json(_meta(place)))
    return StageResult(
        facets={
            "recording": json_digest([_bytes_digest(directory, found), summary]),
            "timeline": json_digest(_timeline(summary)),
            "labels": json_digest(annotations.as_json()),
            "meta": json_digest(_meta(place)),
        },
        metadata=_metadata(place, summary, seconds),
        warnings=(*summary["repairs"], *choice.warnings, *texts.warnings, *annotations.warnings, *_doubts(place)),
        references=_references(found),
    )


def recording_json(recording: Recording, choice: Choice) -> dict[str, Any]:
    """Return what `recording.json` says: nothing of a header but labels, rates, units and the start."""
    segments = recording.segments(choice.rate_hz)
    return {
        "format": recording.format,
        "kind": choice.kind,
        "reference": choice.reference,
        "rate_hz": choice.rate_hz,
        "samples": sum(segment.samples for segment in segments),
        "bits": recording.bits,
        "channels": [
            {
                "name": channel.name,
                "label": channel.signal.label,
                "index": channel.signal.index,
                "sign": channel.sign,
                "unit_to_uv": channel.unit_to_uv,
                "rate_hz": channel.signal.rate_hz,
            }
            for channel in choice.channels
        ],
        "segments": [[segment.start, segment.samples, segment.onset_s] for segment in segments],
        "start": recording.start,
        "repairs": list(recording.repairs),
        "not_used": [{"label": label, "why": why} for label, why in choice.not_used],
    }


def _timeline(summary: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: summary[name] for name in ("kind", "reference", "rate_hz", "samples", "segments")}
    return same | {"channels": [channel["name"] for channel in summary["channels"]]}


def _meta(place: Place) -> dict[str, Any]:
    return {"patient": place.patient, "visit": place.visit, "split": place.split}


def _metadata(place: Place, summary: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    return {
        **_meta(place),
        "layout": place.layout,
        "duration_s": seconds,
        "kind": summary["kind"],
        "rate_hz": summary["rate_hz"],
        "channels": [channel["name"] for channel in summary["channels"]],
    }


def _doubts(place: Place) -> tuple[str, ...]:
    if place.layout != "loose":
        return ()
    return (f"patient {place.patient!r} is taken from the path: recordings of one patient belong in one folder",)


def _references(found: RecordingFiles) -> dict[str, str]:
    names = ("recording", *(f"recording_{i}" for i in range(1, len(found.files))))
    return dict(zip(names, found.files, strict=True))


def _bytes_digest(directory: Path, found: RecordingFiles) -> str:
    """Digest a recording's files with what tells them apart: the suffix, or the name within an EGI folder."""
    names = sorted((name.removeprefix(_without_suffix(found.main)), name) for name in found.files)
    return json_digest([[own.lower(), file_digest(directory / name)] for own, name in names])


def _without_suffix(main: str) -> str:
    return main[: -len(Path(main).suffix)]


def _below(directory: Path, prefix: str, taken: frozenset[str]) -> Iterator[Found]:
    """Yield what lies below a folder; a name in `taken`, case-folded, is no name for an upload right here."""
    folders, files = listing(directory)
    inside = [(name, tuple(files_below(directory / name, f"{name}/"))) for name in folders if is_folder_recording(name)]
    found = _named(in_folder(files, inside), taken | {name.casefold() for name in folders}, prefix)
    found += [Found(f"{prefix}{name}", (f"{prefix}{name}",)) for name in files if archive_suffix(name)]
    yield from sorted(found, key=lambda upload: upload.path)
    for name in folders:
        if not is_folder_recording(name):
            yield from _below(directory / name, f"{prefix}{name}/", frozenset())


def _named(recordings: list[RecordingFiles], taken: frozenset[str], prefix: str) -> list[Found]:
    used = set(taken)
    found = []
    for recording in recordings:
        name = recording.stem if recording.stem.casefold() not in used else recording.main
        used.add(name.casefold())
        names = dict.fromkeys((*recording.files, *(sidecar for _, sidecar in recording.sidecars)))
        found.append(Found(f"{prefix}{name}", tuple(sorted(f"{prefix}{file}" for file in names))))
    return found
