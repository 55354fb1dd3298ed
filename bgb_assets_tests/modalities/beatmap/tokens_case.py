"""Shards and index of a small store of songs, through the real stages: what tests of tokens and models start from."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bgb_assets.modalities.beatmap import tokens
from bgb_assets.modalities.beatmap.manifest import ManifestParams
from bgb_assets.modalities.beatmap.sequences.token_params import TokenParams
from bgb_assets.modalities.contract import EntryView, FanIn, StageResult
from bgb_assets.storage.digests import sha256_json
from bgb_assets_tests.modalities.beatmap.songs_case import Store


@dataclass
class TokenStore:
    """A store of songs with its manifest and tokens.

    Attributes:
        songs: The store.
        made: Names of the shards that the last call had to write.
    """

    songs: Store
    made: list[str] = field(default_factory=list)

    def fan_in(self, manifest: ManifestParams | None = None) -> FanIn:
        """Return what the tokens stage is handed, without parts."""
        directory, _ = self.songs.manifest(manifest)
        return dataclasses.replace(self.songs.fan_in(), inputs={"manifest": directory})

    def tokens(
        self, out: Path, params: TokenParams | None = None, manifest: ManifestParams | None = None
    ) -> StageResult:
        """Make the shards that are missing, then the index in the empty directory `out`."""
        params = params or TokenParams()
        fan_in = self.fan_in(manifest)
        out.mkdir(parents=True)
        return tokens.run(dataclasses.replace(fan_in, parts=self._parts(fan_in, params)), params, out)

    def _parts(self, fan_in: FanIn, params: TokenParams) -> Mapping[str, EntryView]:
        self.made, parts = [], {}
        for name, plan in tokens.plan(fan_in, params).items():
            identity = sha256_json({"facets": dict(plan.facets), "params": dict(plan.params)})
            location = f"tokens/beatmap/{identity[:2]}/{identity}"
            directory = self.songs.root / location
            if not directory.exists():
                self.made.append(name)
                directory.mkdir(parents=True)
                own = dataclasses.replace(fan_in, members=[self.songs.members[key] for key in plan.members])
                _METADATA[identity] = tokens.run_part(name, own, params, directory).metadata
            parts[name] = EntryView(identity, location, {}, _METADATA[identity], directory)
        return parts


_METADATA: dict[str, Mapping[str, object]] = {}
