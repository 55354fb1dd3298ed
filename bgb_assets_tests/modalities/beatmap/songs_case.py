"""Songs that went through the real stages, and a small store of them: what tests of fan-in stages start from."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap import cache, features, manifest, notes, raw
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.modalities.contract import EntryView, FanIn, Member, StageResult
from bgb_assets.storage.digests import sha256_json


@dataclass
class Store:
    """Entries below one root, under identities made of their content, and the uploads that point to them."""

    root: Path
    members: dict[str, Member] = field(default_factory=dict)
    parts_made: list[str] = field(default_factory=list)

    def add(self, key: str, upload: Path, **labels: Any) -> Member:
        """Run raw to notes on an upload and register it."""
        entries = dict(self._entries(upload))
        self.members[key] = Member(
            key, {"source": "inbox", "origin": None, "popularity": {}, "facts": {}} | labels, entries
        )
        return self.members[key]

    def again(self, key: str, other: str, **labels: Any) -> Member:
        """Register a second upload of the same content."""
        member = self.members[other]
        self.members[key] = Member(key, {**member.labels, **labels}, member.entries)
        return self.members[key]

    def fan_in(self, keys: Iterable[str] | None = None) -> FanIn:
        """Return what a manifest stage is handed."""
        chosen = sorted(self.members if keys is None else keys)
        members = [self.members[key] for key in chosen]
        return FanIn(members, {}, {}, {}, self.root / "pins/beatmap", self.root)

    def manifest(
        self, params: ManifestParams | None = None, keys: Iterable[str] | None = None
    ) -> tuple[Path, StageResult]:
        """Make the parts that are missing, then the manifest; returns its directory and result."""
        params = params or ManifestParams()
        fan_in = self.fan_in(keys)
        parts = {}
        self.parts_made = []
        for name, plan in manifest.plan(fan_in, params).items():
            identity = sha256_json({"facets": dict(plan.facets), "params": dict(plan.params)})
            location = f"manifest/beatmap/{identity[:2]}/{identity}"
            if not (self.root / location).exists():
                (self.root / location).mkdir(parents=True)
                self.parts_made.append(name)
                own = dataclasses.replace(fan_in, members=[self.members[key] for key in plan.members])
                manifest.run_part(name, own, params, self.root / location)
            parts[name] = EntryView(identity, location, {}, {}, self.root / location)
        out = self.root / "manifest/beatmap/00" / hashlib.sha256(repr((params, fan_in)).encode()).hexdigest()
        out.mkdir(parents=True, exist_ok=True)
        return out, manifest.run(dataclasses.replace(fan_in, parts=parts), params, out)

    def _entries(self, upload: Path) -> Iterable[tuple[str, EntryView]]:
        made = self._run("raw", upload, lambda out: raw.run({"upload": upload}, None, out))
        yield "raw", made
        inputs = {"raw": made.directory, "upload": upload}
        if "audio" in made.facets:
            only = self.root / "audio" / made.facets["audio"]
            only.mkdir(parents=True, exist_ok=True)
            file = json.loads((made.directory / "audio.json").read_bytes())["file"]
            if not (only / file).exists():
                (only / file).hardlink_to(upload / file)
            inputs["upload"] = only
        for name, run, params in (
            ("cache", cache.run, cache.CacheParams()),
            ("features", features.run, features.FeatureParams()),
            ("notes", notes.run, None),
        ):
            if "audio" not in made.facets and name == "cache":
                continue
            view = self._run(name, upload, lambda out, run=run, params=params: run(inputs, params, out))
            yield name, view
            inputs[name] = view.directory

    def _run(self, stage: str, upload: Path, run: Any) -> EntryView:
        identity = hashlib.sha256(f"{stage}/{len(self.members)}/{upload}".encode()).hexdigest()
        location = f"{stage}/beatmap/{identity[:2]}/{identity}"
        directory = self.root / location
        directory.mkdir(parents=True)
        result: StageResult = run(directory)
        return EntryView(identity, location, result.facets, result.metadata, directory, result.absent)


def facts(**values: Any) -> Mapping[str, Any]:
    """Return labels with facts."""
    return {"facts": values}
