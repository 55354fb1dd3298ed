"""Songs and their maps: from an upload to a model that writes maps. This page is the table of contents."""

from bgb_assets.modalities.beatmap.cache import CacheParams
from bgb_assets.modalities.beatmap.features import FeatureParams
from bgb_assets.modalities.beatmap.learning.variants import VARIANTS
from bgb_assets.modalities.beatmap.notes import NotesParams
from bgb_assets.modalities.beatmap.raw import RawParams
from bgb_assets.modalities.beatmap.sequences.token_params import TokenParams
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.modalities.contract import Modality, Parts, Reads, Stage

_HERE = "bgb_assets.modalities.beatmap"

MODALITY = Modality(
    name="beatmap",
    upload_noun="song",
    description="Songs with Beat Saber maps in, a model that writes a map for any song out.",
    discover=f"{_HERE}.raw:discover",
    fingerprint=f"{_HERE}.raw:fingerprint",
    cost_bytes=f"{_HERE}.raw:cost_bytes",
    upload_facets=("info", "difficulties", "audio"),
    tables=f"{_HERE}.tables.schemas:TABLES",
    synth=f"{_HERE}.synth:synth",
    pictures=f"{_HERE}.report:pictures",
    file_pictures=f"{_HERE}.pictures.report_map:pictures_of_map",
    explain=f"{_HERE}.formats.changes:explain",
    variants=VARIANTS,
    default_variant="tiny",
    stages=(
        Stage(
            name="raw",
            run=f"{_HERE}.raw:run",
            code_version="1",
            description="One song as delivered: every difficulty parsed, validated and identified by its content.",
            params=RawParams(),
            reads=(Reads("upload", facets=("info", "difficulties", "audio"), files=("*",)),),
            publishes=("song", "audio", "tempo", "objects", "meta", "difficulty.*"),
            kinds=("json",),
        ),
        Stage(
            name="cache",
            run=f"{_HERE}.cache:run",
            code_version="2",
            description="The song's audio decoded once: mono PCM16 WAV at 22,050 Hz, and what it is recognised by.",
            params=CacheParams(),
            reads=(Reads("raw", facets=("audio",)), Reads("upload", facets=(), files=("@audio",))),
            publishes=("wav", "landmarks"),
            kinds=("wav",),
        ),
        Stage(
            name="features",
            run=f"{_HERE}.features:run",
            code_version="1",
            description="Mel spectrogram and onset strength on the song's own beats, one file per tempo map.",
            params=FeatureParams(),
            reads=(
                Reads("cache", facets=("wav",), files=("audio.*",)),
                Reads("raw", facets=("tempo",), files=("tempo.json",)),
            ),
            publishes=("mel", "onset"),
            kinds=("numpy",),
        ),
        Stage(
            name="notes",
            run=f"{_HERE}.notes:run",
            code_version="1",
            description="Every note, bomb, wall, arc and chain with beat and seconds, and an audit of each difficulty.",
            params=NotesParams(),
            reads=(
                Reads("raw", facets=("objects", "tempo", "meta", "audio"), files=("*.json",)),
                Reads("features", facets=("onset",), files=("onset.npy", "features.json")),
            ),
            publishes=("notes",),
            kinds=("parquet",),
        ),
        Stage(
            name="manifest",
            run=f"{_HERE}.manifest:run",
            code_version="2",
            description="Every difficulty of every song: group, split, reason where it is left out, exact counts.",
            params=ManifestParams(),
            reads=(
                Reads("upload", facets=("facts",)),
                Reads("raw", facets=("audio", "song", "meta"), files=("song.json",)),
                Reads("cache", facets=("landmarks",), files=("landmarks.npy",)),
                Reads("features", facets=("mel",)),
                Reads("notes", facets=("notes",), files=("*.parquet",)),
            ),
            publishes=("rows", "tables"),
            kinds=("parquet",),
            parts=Parts(f"{_HERE}.manifest:plan", f"{_HERE}.manifest:run_part"),
            pins=True,
            audits={
                "schema": f"{_HERE}.manifest:audit_schema",
                "counts": "bgb_assets.storage.audits:counts",
                "leakage": "bgb_assets.storage.audits:leakage",
                "recordings": f"{_HERE}.tables.manifest_groups:audit_recordings",
            },
        ),
        Stage(
            name="tokens",
            run=f"{_HERE}.tokens:run",
            code_version="1",
            description="Every included difficulty as token sequences in memory-mapped shards, mels indexed in place.",
            params=TokenParams(),
            reads=(
                Reads("manifest", facets=("rows",), files=("rows.parquet",)),
                Reads("notes", facets=("notes",), files=("*.parquet",)),
                Reads("features", facets=("mel",)),
            ),
            publishes=("tokens",),
            kinds=("numpy",),
            parts=Parts(f"{_HERE}.tokens:plan", f"{_HERE}.tokens:run_part"),
            audits={"shards": "bgb_assets.storage.audits:shards", "token_range": f"{_HERE}.tokens:audit_range"},
        ),
        Stage(
            name="model",
            run=f"{_HERE}.model:run",
            code_version="5",
            description="An encoder-decoder that writes maps: weights, metrics and a model card per variant.",
            reads=(Reads("tokens", facets=("tokens",), files=("*",)),),
            publishes=("weights",),
            kinds=("pytorch",),
            resumable=True,
        ),
    ),
)
