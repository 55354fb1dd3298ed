"""What a source says of a scan that its files do not: laid over what their names say.

Belongs here: the keys that a source may give in an upload's `facts.json`. Does not belong here: sources themselves,
and rules of names (`folders`, `pairs`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bgb_assets.modalities.mri.pairing.folders import Scan
from bgb_assets.modalities.mri.pairing.names import with_prefix
from bgb_assets.modalities.mri.pairing.participants import clean

KEYS = (
    *("subject", "session", "modality", "acquisition_label", "pair_method", "participant"),
    *("image_sha256", "mask_sha256"),
)
"""All optional. `acquisition_label` is the BIDS one (`spc3p2`); `participant` maps names to texts; the last two are the
SHA-256 that the source states for the files, checked against what was delivered."""


def with_stated_facts(scan: Scan, stated: Mapping[str, Any]) -> Scan:
    """Return a scan with what its source says of it; a pair that the source made is not flagged as made by names."""
    pair = scan.pair
    if stated.get("pair_method") and pair.status == "paired":
        pair = replace(pair, method=stated["pair_method"], flags=())
    return replace(
        scan,
        pair=pair,
        subject=with_prefix("sub", stated.get("subject")) or scan.subject,
        session=with_prefix("ses", stated.get("session")) or scan.session,
        modality=stated.get("modality") or scan.modality,
        acquisition_label=stated.get("acquisition_label") or scan.acquisition_label,
        participant={**scan.participant, **clean(stated.get("participant") or {})},
    )
