"""Finding what can be drawn: the entries of an upload, or of the corpus, handed to the modality's pictures.

Belongs here: which entries are there. Does not belong here: drawing (each modality's `report`), rendering
(`runtime.rendering`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bgb_assets.chain import Chain
from bgb_assets.engine.walk import is_evicted, parts_of
from bgb_assets.modalities.contract import FAN_IN_STAGES
from bgb_assets.runtime.imports import resolve
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.records import Record

LOGS = "logs"
"""Name of a model's TensorBoard files among its entries."""

MODEL = FAN_IN_STAGES[-1]


def pictures_of_upload(chain: Chain, key: str) -> Iterator[tuple[str, Any]]:
    """Yield (`<stage>-<name>`, figure) for every stage of an upload whose bytes are there.

    Raises:
        UsageError: There is no such upload.
    """
    records = chain.records_of(chain.uploads.require(key))
    entries = _directories(chain, records)
    for stage in records:
        yield from pictures_of_stage(chain, stage, entries)


def pictures_of_corpus(chain: Chain) -> Iterator[tuple[str, Any]]:
    """Yield (`<stage>-<name>`, figure) for manifest, tokens and, as `model-<variant>-<name>`, each model."""
    heads = heads_of(chain.store.layout, chain.modality.name).all()
    for head in sorted(heads, key=lambda name: (FAN_IN_STAGES.index(name.partition("/")[0]), name)):
        stage, _, variant = head.partition("/")
        for name, figure in pictures_of_stage(chain, stage, corpus_entries(chain, variant or None)):
            yield (f"{stage}-{variant}{name.removeprefix(stage)}" if variant else name), figure


def pictures_of_stage(chain: Chain, stage: str, entries: Mapping[str, Path]) -> Iterator[tuple[str, Any]]:
    """Yield (`<stage>-<name>`, figure) for one stage; none where its entry is not there, or the modality draws none."""
    if stage not in entries or chain.modality.pictures is None:
        return
    for name, figure in resolve(chain.modality.pictures)(stage, entries, chain.store.root).items():
        yield f"{stage}-{name}", figure


def corpus_entries(chain: Chain, variant: str | None = None) -> dict[str, Path]:
    """Return stage -> directory for the newest manifest, tokens and model of a variant, `logs` for the model's.

    Args:
        chain: The modality's chain.
        variant: The model variant; no model where None.
    """
    heads = heads_of(chain.store.layout, chain.modality.name)
    names = {stage: stage for stage in FAN_IN_STAGES[:-1]} | ({MODEL: f"{MODEL}/{variant}"} if variant else {})
    records = {}
    for stage, name in names.items():
        head = heads.get(name)
        record = chain.store.lookup(stage, chain.modality.name, head.identity) if head else None
        if record is not None:
            records[stage] = record
    logs = {LOGS: chain.store.layout.logs(chain.modality.name, records[MODEL].identity)} if MODEL in records else {}
    return {**_directories(chain, records), **logs}


def _directories(chain: Chain, records: Mapping[str, Record]) -> dict[str, Path]:
    """Return the directory of each entry whose bytes are there, and as `<stage>/<part>` those of its parts."""
    found = {}
    for stage, record in records.items():
        if record.absent is None and not is_evicted(chain.store, record):
            found[stage] = chain.store.directory(record)
            parts = parts_of(chain.store, record)
            found |= {f"{stage}/{name}": chain.store.directory(part) for name, part in parts.items()}
    return found
