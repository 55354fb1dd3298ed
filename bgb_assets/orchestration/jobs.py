"""Jobs: named selections for the UI and for schedules of the user's own.

Belongs here: selections. Does not belong here: ranges of uploads (`partitions`): a backfill of a job ignores
backfill policies, so that uploads are asked for as assets, never through a job.
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from bgb_assets.modalities.contract import FAN_IN_STAGES, Modality
from bgb_assets.orchestration.partitions import asset_key


def build_jobs(modality: Modality) -> list[UnresolvedAssetJobDefinition]:
    """Return a modality's jobs: manifest, tokens and model of one variant, from what the uploads hold."""
    return [
        dg.define_asset_job(
            f"{modality.name}_train",
            selection=dg.AssetSelection.assets(*(asset_key(modality.name, stage) for stage in FAN_IN_STAGES)),
            description=f"Manifest, tokens and one model variant from the {modality.upload_noun}s that are processed.",
            tags={"bgb/modality": modality.name},
        )
    ]
