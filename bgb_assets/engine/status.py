"""Status: what is current, stale, rejected or held back, for people and scripts.

Belongs here: the JSON that `bgb status` prints. Does not belong here: its rendering (`cli`).
"""

import shutil
from typing import Any

from bgb_assets.chain import Chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.engine.summary import read_summary, summary_path
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, STAGE_NAMES
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.uploads import PRESENT


def status_of(chain: Chain) -> dict[str, Any]:
    """Return a modality's state: uploads, stages, heads, quarantine, holds and the counts of the last run."""
    name = chain.modality.name
    records = list(chain.uploads.all())
    totals = chain.catalog.totals()
    rows = list(chain.rejections())
    heads = heads_of(chain.store.layout, name).all()
    return {
        "modality": name,
        "data_root": str(chain.settings.data_root),
        "uploads": {
            "present": sum(record.state == PRESENT for record in records),
            "vanished": sum(record.state != PRESENT for record in records),
            "unrecognised": sum(record.problem is not None for record in records if record.state == PRESENT),
        },
        "stages": {**_currency(chain), **{stage: {"head": head.identity} for stage, head in heads.items()}},
        "entries": {
            stage: {"entries": totals[name, stage][0], "bytes": totals[name, stage][1]}
            for stage in STAGE_NAMES
            if (name, stage) in totals
        },
        "quarantine": [
            {"key": row.key, "stage": row.stage, "kind": row.kind, "reason": row.reason, "remedy": row.remedy}
            for row in rows
        ],
        "held": Ingest(chain).hold(),
        "last_run": dict(read_summary(summary_path(chain.store.layout, name))),
        "free_bytes": shutil.disk_usage(chain.settings.data_root).free,
    }


def _currency(chain: Chain) -> dict[str, dict[str, int]]:
    counts = {stage: {"current": 0, "to_do": 0, "quarantined": 0} for stage in PER_UPLOAD_STAGES}
    for plan in chain.survey():
        for stage in PER_UPLOAD_STAGES:
            if stage in plan.records:
                counts[stage]["current"] += 1
            else:
                counts[stage]["quarantined" if plan.rejection else "to_do"] += 1
    return counts
