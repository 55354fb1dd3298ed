"""When assets are asked for by themselves, and when they count as overdue.

New and changed files are the sensor's to ask for; conditions ask for raised code versions, changed data
versions upstream, and overdue assets. Belongs here: conditions and policies. Does not belong here: sensors.
"""

from datetime import timedelta

import dagster as dg

from bgb_assets.runtime.settings import AutomationSettings, FreshnessSettings

_HANDLED = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
_BUSY = dg.AutomationCondition.any_deps_in_progress() | dg.AutomationCondition.in_progress()
_OVERDUE = dg.AutomationCondition.freshness_failed().newly_true()
_NEW_CODE = dg.AutomationCondition.code_version_changed()


def first_stage_condition() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """Ask for all uploads when the code changed or the asset is overdue (once, not at every look)."""
    return (_NEW_CODE | _OVERDUE).since(_HANDLED) & ~_BUSY


def upload_stage_condition() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """Ask for the uploads whose upstream changed in content, or is asked for in the same tick."""
    upstream = dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.data_version_changed() | dg.AutomationCondition.will_be_requested()
    )
    return (_NEW_CODE | upstream).since(_HANDLED) & ~_BUSY


def fan_in_condition() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """Ask when anything upstream changed in content and no upload is in work, or the asset is overdue."""
    upstream = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed())
    return (_NEW_CODE | upstream | _OVERDUE).since(_HANDLED) & ~_BUSY


def condition(stage: str, settings: AutomationSettings) -> dg.AutomationCondition | None:  # type: ignore[type-arg]
    """Return the condition of a stage's asset; models are trained by hand unless `auto_train` is set."""
    if not settings.enabled or (stage == "model" and not settings.auto_train):
        return None
    if stage == "raw":
        return first_stage_condition()
    return upload_stage_condition() if stage in ("cache", "features", "notes") else fan_in_condition()


def freshness_policy(stage: str, settings: FreshnessSettings) -> dg.FreshnessPolicy | None:
    """Return the window after which an asset fails without a new confirmation; models never go bad by age."""
    if stage == "model":
        return None
    warn = timedelta(seconds=settings.warn_window_s) if settings.warn_window_s else None
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(seconds=settings.fail_window_s), warn_window=warn)
