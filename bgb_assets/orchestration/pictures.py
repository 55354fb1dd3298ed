"""Pictures in the metadata of a materialization, so that the web UI shows what was made.

Only what all uploads make together gets them: a run over thousands of uploads reports thousands of events, which
have to stay small and cheap. Pictures of single uploads are drawn on demand, by `bgb report`.
Belongs here: what goes into the metadata. Does not belong here: drawing and rendering (`runtime.rendering`).
"""

from typing import Any

import dagster as dg

from bgb_assets.chain import Chain
from bgb_assets.engine.pictures import corpus_entries, pictures_of_stage
from bgb_assets.runtime.rendering import bounded_data_uri

MAX_BYTES = 200_000
"""Of one picture, as the text in which the event holds it."""

WARNING = "pictures_warning"
"""Name of the metadata that says why a picture is missing."""

THEME = "light"
"""The one that is shown: a picture brings its own background."""


def picture_metadata(chain: Chain, stage: str, variant: str | None) -> dict[str, Any]:
    """Return the pictures of a fan-in stage's newest entry as metadata `picture_<name>`.

    A picture that cannot be drawn fails no run, for nothing depends on it: `pictures_warning` says what happened.
    """
    shown: dict[str, Any] = {}
    try:
        for title, figure in pictures_of_stage(chain, stage, corpus_entries(chain, variant)):
            name = title.removeprefix(f"{stage}-")
            shown[f"picture_{name}"] = dg.MetadataValue.md(f"![{title}]({bounded_data_uri(figure, THEME, MAX_BYTES)})")
    except Exception as error:  # noqa: BLE001 - said in the metadata, whatever the drawing raised
        shown[WARNING] = f"not all pictures could be drawn: {type(error).__name__}: {error}"
    return shown
