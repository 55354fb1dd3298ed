"""The Dagster code location: every modality's assets, checks, jobs and sensors."""

from bgb_assets.modalities.registry import modalities
from bgb_assets.orchestration.location import build_definitions
from bgb_assets.runtime.settings import load_settings

defs = build_definitions(modalities(), load_settings())
