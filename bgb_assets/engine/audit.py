"""Audits of fan-ins: counts, splits, token ranges; each done once per entry and remembered.

A stage names its audits: name -> import string of `audit(directory, root) -> list of problems`.
Belongs here: running and remembering them. Does not belong here: what is right for a modality.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson

from bgb_assets.chain import Chain
from bgb_assets.modalities.contract import FAN_IN_STAGES, Modality
from bgb_assets.runtime.imports import resolve
from bgb_assets.storage.atomic import write_json
from bgb_assets.storage.heads import heads_of

Audit = Callable[[Chain], Mapping[str, Any]]


def audits(modality: Modality) -> dict[tuple[str, str], Audit]:
    """Return (stage, name) -> audit for a modality's fan-in stages."""
    return {
        (stage.name, name): partial(_audit, stage=stage.name, name=name, function=function)
        for stage in modality.stages
        if stage.name in FAN_IN_STAGES
        for name, function in stage.audits.items()
    }


def _audit(chain: Chain, *, stage: str, name: str, function: str) -> Mapping[str, Any]:
    head = heads_of(chain.store.layout, chain.modality.name).get(stage)
    if head is None:
        return {"problems": [f"{chain.modality.name}/{stage} was never made"]}
    path = chain.store.layout.state / "audits" / f"{head.identity}.{name}.json"
    if path.is_file():
        remembered: Mapping[str, Any] = orjson.loads(path.read_bytes())
        return remembered
    directory = chain.store.layout.entry(stage, chain.modality.name, head.identity)
    found = {"identity": head.identity, "problems": list(resolve(function)(directory, chain.store.root))}
    write_json(path, found)
    return found
