"""The Dagster code location: every modality's assets, checks, jobs and sensors."""

import dagster as dg

from bgb_assets.modalities.registry import modalities
from bgb_assets.orchestration.assets import build_assets
from bgb_assets.orchestration.checks import build_checks
from bgb_assets.orchestration.jobs import build_jobs
from bgb_assets.orchestration.resources import ChainResource
from bgb_assets.orchestration.sensors import build_sensors
from bgb_assets.runtime.settings import load_settings

_settings = load_settings()
_modalities = modalities()

defs = dg.Definitions(
    assets=[asset for modality in _modalities for asset in build_assets(modality, _settings)],
    asset_checks=[check for modality in _modalities for check in build_checks(modality)],
    jobs=[job for modality in _modalities for job in build_jobs(modality)],
    sensors=[sensor for modality in _modalities for sensor in build_sensors(modality, _settings)],
    resources={"chain": ChainResource()},
    # A process per step would import everything anew for each of them: seconds.
    executor=dg.in_process_executor,
)
