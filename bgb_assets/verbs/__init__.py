"""The verbs that know a modality, one module each; `bgb_assets.cli` holds those that are the same for all."""
