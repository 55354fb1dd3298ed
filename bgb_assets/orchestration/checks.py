"""Asset checks: what a person should look at although the run is green.

Belongs here: turning the engine's findings into check results. Does not belong here: finding things out
(`engine.audit`, the stage store).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from bgb_assets.engine.audit import audits
from bgb_assets.engine.ingest import Ingest
from bgb_assets.modalities.contract import Modality
from bgb_assets.orchestration.assets import asset_key
from bgb_assets.orchestration.resources import ChainResource
from bgb_assets.storage.quarantine import Rejection
from bgb_assets.storage.uploads import PRESENT

NAMED = 50
"""So many rejected uploads are named in a check; all are in `bgb quarantine list`."""


def build_checks(modality: Modality) -> list[dg.AssetChecksDefinition]:
    """Return a modality's checks."""
    return [
        _quarantine_check(modality),
        _deletions_check(modality),
        *(_audit_check(modality, stage, name) for stage, name in audits(modality)),
    ]


def _quarantine_check(modality: Modality) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(modality.name, "raw"),
        name="quarantine",
        description=f"No {modality.upload_noun} is in quarantine.",
    )
    def quarantine(chain: ChainResource) -> dg.AssetCheckResult:
        with chain.chain(modality) as walking:
            present = [record.key for record in walking.uploads.all() if record.state == PRESENT]
            rows = [row for row in walking.quarantine.rows() if row.key in set(present)]
        return quarantine_result(rows, len(present))

    return quarantine


def quarantine_result(rows: Sequence[Rejection], uploads: int) -> dg.AssetCheckResult:
    """Return the result: failed, and naming each rejected upload, where there is one."""
    table = [{"upload": row.key, "stage": row.stage, "reason": row.reason, "remedy": row.remedy} for row in rows]
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(rows)} of {uploads} uploads are in quarantine: {', '.join(row.key for row in rows[:NAMED])}"
        if rows
        else "none",
        metadata={"rejected": len(rows), "uploads": uploads, "rows": dg.MetadataValue.json(table[:NAMED])},
    )


def _deletions_check(modality: Modality) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(modality.name, "raw"),
        name="deletions",
        description="No deletion is held back: the inbox is there, and not too many uploads vanished at once.",
    )
    def deletions(chain: ChainResource) -> dg.AssetCheckResult:
        with chain.chain(modality) as walking:
            ingest = Ingest(walking)
            missing = [reason for root in ingest.roots() if (reason := root.missing)]
            held = ingest.hold() or "; ".join(missing) or None
        return dg.AssetCheckResult(passed=held is None, description=held or "none", severity=dg.AssetCheckSeverity.WARN)

    return deletions


def _audit_check(modality: Modality, stage: str, name: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset_key(modality.name, stage), name=name)
    def audit(chain: ChainResource) -> dg.AssetCheckResult:
        with chain.chain(modality) as walking:
            found = audits(modality)[stage, name](walking)
        return _audit_result(found)

    return audit


def _audit_result(found: Mapping[str, Any]) -> dg.AssetCheckResult:
    problems = list(found["problems"])
    return dg.AssetCheckResult(
        passed=not problems,
        description="; ".join(problems[:10]) or "none",
        metadata={name: value for name, value in found.items() if name != "problems"},
    )
