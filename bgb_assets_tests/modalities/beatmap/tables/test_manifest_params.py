import json

from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.storage.digests import canonical_json


def test_params_have_a_canonical_form_with_every_default():
    value = json.loads(canonical_json(ManifestParams()))
    assert value["filters"]["min_notes"] == 16
    assert value["split"] == {"val": 0.1, "test": 0.1, "folds": 0}
    assert value["max_file_bytes"] == 1_000_000_000
    assert canonical_json(ManifestParams(rows_per_group="song")) != canonical_json(ManifestParams())
