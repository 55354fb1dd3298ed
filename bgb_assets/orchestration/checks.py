"""Asset checks: what a person should look at although the run is green.

Belongs here: turning the engine's findings into check results. Does not belong here: finding things out
(`engine.audit`, the stage store).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from bgb_assets.chain import Chain
from bgb_assets.engine.audit import audits
from bgb_assets.engine.ingest import Ingest
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Modality
from bgb_assets.orchestration.partitions import asset_key
from bgb_assets.orchestration.resources import ChainResource
from bgb_assets.storage.quarantine import Rejection
from bgb_assets.storage.uploads import PRESENT

QUARANTINE = "quarantine"
DELETIONS = "deletions"
NAMED = 50
"""So many rejected uploads are named in a check; all are in `bgb quarantine list`."""


def build_checks(modality: Modality) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a modality's fan-in stages."""
    return [_audit_check(modality, stage, name) for stage, name in audits(modality)]


def upload_check_specs(modality: Modality) -> list[dg.AssetCheckSpec]:
    """Return the checks that the step over uploads evaluates itself.

    Not steps of their own: Dagster skips those where an asset reports its own events.
    """
    noun = modality.upload_noun
    quarantine = [
        dg.AssetCheckSpec(QUARANTINE, asset=asset_key(modality.name, stage), description=f"No {noun} was rejected.")
        for stage in PER_UPLOAD_STAGES
    ]
    held = "The inbox is there, and no deletion is held back because too many uploads vanished at once."
    return [*quarantine, dg.AssetCheckSpec(DELETIONS, asset=asset_key(modality.name, "raw"), description=held)]


def upload_check_results(chain: Chain, selected: Iterable[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the selected checks over all present uploads, whichever the run was about."""
    present = sum(record.state == PRESENT for record in chain.uploads.all())
    rows = list(chain.rejections())
    for key in sorted(selected):
        stage = key.asset_key.path[-1]
        if key.name == DELETIONS:
            yield _deletions_result(chain, key)
        else:
            limit = PER_UPLOAD_STAGES.index(stage)
            yield quarantine_result([r for r in rows if PER_UPLOAD_STAGES.index(r.stage) <= limit], present, key)


def upload_check_evaluations(chain: Chain) -> list[dg.AssetCheckEvaluation]:
    """Evaluate all checks of the uploads outside a run: for the sensor, when uploads went or must not go."""
    keys = [spec.key for spec in upload_check_specs(chain.modality)]
    return [_evaluation(result) for result in upload_check_results(chain, keys)]


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    assert result.asset_key is not None  # for mypy: each result here
    assert result.check_name is not None  # names what it is about
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
    )


def quarantine_result(rows: Sequence[Rejection], uploads: int, key: dg.AssetCheckKey) -> dg.AssetCheckResult:
    """Return the result: failed, and naming each rejected upload, where there is one."""
    table = [{"upload": row.key, "stage": row.stage, "reason": row.reason, "remedy": row.remedy} for row in rows]
    named = ", ".join(row.key for row in rows[:NAMED])
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(rows)} of {uploads} uploads are in quarantine: {named}" if rows else "none",
        metadata={"rejected": len(rows), "uploads": uploads, "rows": dg.MetadataValue.json(table[:NAMED])},
    )


def _deletions_result(chain: Chain, key: dg.AssetCheckKey) -> dg.AssetCheckResult:
    ingest = Ingest(chain)
    missing = [reason for root in ingest.roots() if (reason := root.missing)]
    held = ingest.hold() or "; ".join(missing) or None
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=held is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=held or "none",
    )


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
