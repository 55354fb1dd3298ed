"""When assets are asked for by themselves, and when they count as overdue.

New and changed files are the sensor's to ask for; conditions ask for raised code versions, changed data
versions upstream, and overdue assets. Belongs here: conditions and policies. Does not belong here: sensors.

Each condition has the form `reason.since(handled) & ~busy`: a reason is remembered until the asset was asked for
or made, and waits while the asset or one that it reads is in work.
"""

from datetime import timedelta

import dagster as dg
from dagster import AutomationCondition as When

from bgb_assets.modalities.contract import FAN_IN_STAGES, PER_UPLOAD_STAGES
from bgb_assets.orchestration.partitions import asset_key
from bgb_assets.runtime.settings import AutomationSettings, FreshnessSettings

_HANDLED = When.newly_requested() | When.newly_updated()
_BUSY = When.any_deps_in_progress() | When.in_progress()
# Only when it turns: plain `freshness_failed` stays true until the daemon has seen the new materialization.
_OVERDUE = When.freshness_failed().newly_true()
_NEEDED = When.code_version_changed() | _OVERDUE


def upload_stage_condition() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """Ask for all uploads on new code or when overdue, and for those of which something upstream changed.

    What is asked for in the same tick counts as changed, so that one run takes an upload through all stages.
    """
    upstream = When.any_deps_match(When.data_version_changed() | When.will_be_requested())
    return (_NEEDED | upstream).since(_HANDLED) & ~_BUSY


def fan_in_condition(modality: str) -> dg.AutomationCondition:  # type: ignore[type-arg]
    """Ask on new code, when overdue, or when anything upstream changed in content.

    A fan-in waits for uploads that are asked for in the same tick: Dagster's `will_be_requested` does not see them,
    because they have other partitions. It goes along with an earlier fan-in, in one run.
    """
    upstream = When.any_deps_match(When.data_version_changed())
    along = When.any_deps_match(When.will_be_requested()).allow(_assets(modality, FAN_IN_STAGES))
    before = When.any_deps_match(_NEEDED).allow(_assets(modality, PER_UPLOAD_STAGES))
    return (_NEEDED | upstream | along).since(_HANDLED) & ~_BUSY & ~before


def condition(modality: str, stage: str, settings: AutomationSettings) -> dg.AutomationCondition | None:  # type: ignore[type-arg]
    """Return the condition of a stage's asset; models are trained by hand unless `auto_train` is set."""
    if not settings.enabled or (stage == "model" and not settings.auto_train):
        return None
    return upload_stage_condition() if stage in PER_UPLOAD_STAGES else fan_in_condition(modality)


def freshness_policy(stage: str, settings: FreshnessSettings) -> dg.FreshnessPolicy | None:
    """Return the window after which an asset fails without a new confirmation; models never go bad by age."""
    if stage == "model":
        return None
    warn = timedelta(seconds=settings.warn_window_s) if settings.warn_window_s else None
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(seconds=settings.fail_window_s), warn_window=warn)


def _assets(modality: str, stages: tuple[str, ...]) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(asset_key(modality, stage) for stage in stages))
