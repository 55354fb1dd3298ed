"""From modalities to one code location.

Belongs here: putting assets, checks, jobs, sensors and the resource together, for `definitions` and for tests that
bring a modality of their own. Does not belong here: what any of them is.
"""

from collections.abc import Sequence

import dagster as dg

from bgb_assets.modalities.contract import Modality
from bgb_assets.orchestration.assets import build_assets
from bgb_assets.orchestration.checks import build_checks
from bgb_assets.orchestration.jobs import build_jobs
from bgb_assets.orchestration.resources import ChainResource
from bgb_assets.orchestration.sensors import build_sensors
from bgb_assets.runtime.settings import Settings


def build_definitions(modalities: Sequence[Modality], settings: Settings) -> dg.Definitions:
    """Return the definitions of some modalities.

    Raises:
        ConfigError: `config.toml` names a table or param that does not exist.
    """
    settings.require_known([modality.name for modality in modalities])
    return dg.Definitions(
        assets=[asset for modality in modalities for asset in build_assets(modality, settings)],
        asset_checks=[check for modality in modalities for check in build_checks(modality)],
        jobs=[job for modality in modalities for job in build_jobs(modality)],
        sensors=[sensor for modality in modalities for sensor in build_sensors(modality, settings)],
        resources={"chain": ChainResource()},
        # A process per step would import everything anew for each of them: seconds.
        executor=dg.in_process_executor,
    )
