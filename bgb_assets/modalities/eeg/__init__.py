"""EEG recordings in, seizure detectors out. This page is the table of contents."""

from bgb_assets.modalities.contract import Modality, Parts, Reads, Stage
from bgb_assets.modalities.eeg.cache import CacheParams
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.notes import NotesParams
from bgb_assets.modalities.eeg.raw import RawParams
from bgb_assets.modalities.eeg.recordings.folders import REFERENCES
from bgb_assets.modalities.eeg.signal.params import FeatureParams

_HERE = "bgb_assets.modalities.eeg"

MODALITY = Modality(
    name="eeg",
    upload_noun="recording",
    description="EEG recordings with what people noted in, a detector of seizures out.",
    discover=f"{_HERE}.raw:discover",
    fingerprint=f"{_HERE}.raw:fingerprint",
    cost_bytes=f"{_HERE}.raw:cost_bytes",
    upload_facets=("recording", "sidecars", "place"),
    tables=f"{_HERE}.notes:TABLES",
    synth=f"{_HERE}.synth:synth",
    pictures=f"{_HERE}.report:pictures",
    file_pictures=f"{_HERE}.pictures.recording_file:file_pictures",
    variants=VARIANTS,
    default_variant="sdpa-tiny",
    stages=(
        Stage(
            name="raw",
            run=f"{_HERE}.raw:run",
            code_version="1",
            description="One recording as delivered: electrodes by exact name, timeline, all that was noted.",
            params=RawParams(),
            reads=(Reads("upload", facets=("recording", "sidecars", "place"), files=("*",)),),
            publishes=("recording", "timeline", "labels", "meta"),
            kinds=("json",),
        ),
        Stage(
            name="cache",
            run=f"{_HERE}.cache:run",
            code_version="1",
            description="The recording's own integers, stored once and whole, time-major, at their native rate.",
            params=CacheParams(),
            reads=(
                Reads("raw", facets=("recording",), files=("recording.json",)),
                Reads("upload", facets=(), files=REFERENCES),
            ),
            publishes=("signal",),
            kinds=("numpy",),
        ),
        Stage(
            name="features",
            run=f"{_HERE}.features:run",
            code_version="1",
            description="Filtered, normalised 16-bit samples of one montage at 256 Hz: a window is a slice.",
            params=FeatureParams(),
            reads=(Reads("cache", facets=("signal",), files=("*",)),),
            publishes=("signal",),
            kinds=("numpy",),
        ),
        Stage(
            name="notes",
            run=f"{_HERE}.notes:run",
            code_version="1",
            description="Every event of every source, and the seizures as samples of the signal.",
            params=NotesParams(),
            reads=(Reads("raw", facets=("labels", "timeline", "meta"), files=("*.json",)),),
            publishes=("notes",),
            kinds=("parquet",),
        ),
        Stage(
            name="manifest",
            run=f"{_HERE}.manifest:run",
            code_version="1",
            description="Every recording with patient and split, every window with its seizure time, exact counts.",
            params=ManifestParams(),
            reads=(
                Reads("cache", facets=("signal",)),
                Reads("features", facets=("signal",), files=("features.json",)),
                Reads("notes", facets=("notes",), files=("*.parquet",)),
            ),
            publishes=("rows", "windows", "tables"),
            kinds=("parquet",),
            parts=Parts(f"{_HERE}.manifest:plan", f"{_HERE}.manifest:run_part"),
            pins=True,
            audits={
                "schema": f"{_HERE}.windows.audits:audit_schema",
                "counts": "bgb_assets.storage.audits:counts",
                "leakage": "bgb_assets.storage.audits:leakage",
                "lengths": f"{_HERE}.windows.audits:audit_lengths",
                "seizures": f"{_HERE}.windows.audits:audit_seizures",
                "disagreement": f"{_HERE}.windows.audits:audit_disagreement",
                "quality": f"{_HERE}.windows.audits:audit_quality",
            },
        ),
        Stage(
            name="tokens",
            run=f"{_HERE}.tokens:run",
            code_version="2",
            description="The windows as flat arrays to be mapped; the signals stay where they lie.",
            reads=(
                Reads(
                    "manifest",
                    facets=("rows", "windows"),
                    files=("rows.parquet", "manifest.json", "windows.parquet", "intervals.parquet", "segments.parquet"),
                ),
            ),
            publishes=("tokens",),
            kinds=("numpy",),
            audits={"shards": "bgb_assets.storage.audits:shards"},
        ),
        Stage(
            name="model",
            run=f"{_HERE}.model:run",
            code_version="2",
            description="A detector of seizures: weights, thresholds, scores by patient and a model card per variant.",
            reads=(Reads("tokens", facets=("tokens",), files=("*",)),),
            publishes=("weights",),
            kinds=("pytorch",),
            resumable=True,
        ),
    ),
)
