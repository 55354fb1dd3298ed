import dataclasses
import json
from pathlib import Path

from bgb_assets.modalities.beatmap.audio.bpm import TempoEstimate
from bgb_assets.modalities.beatmap.generation.generation_report import Report, Written
from bgb_assets.modalities.beatmap.measures.quality import MapQuality

QUALITY = MapQuality(
    **{field.name: 0 for field in dataclasses.fields(MapQuality) if field.name not in ("notes", "nps")},
    notes=100,
    nps=4.0,
)
ESTIMATE = TempoEstimate(128.0, 0.1, 0.7, (), ())


def written(asked_nps):
    return Written("Hard", asked_nps, 3, None, QUALITY)


def test_a_pace_is_doubted_where_it_misses_by_more_than_a_tenth():
    assert written(None).doubts() == []
    assert written(4.4).doubts() == []
    assert written(3.65).doubts() == []
    (doubt,) = written(4.5).doubts()
    assert "4.00 notes/s were written, 4.5 asked for" in doubt
    assert len(written(3.6).doubts()) == 1


def test_lines_and_json_say_the_same():
    report = Report(Path("map.zip"), 128.0, ESTIMATE, 0.5, (40.0, 80.0), (written(4.0),), ("careful",))
    assert report.lines() == [
        "map.zip: 128.000 BPM (confidence 0.70), 0.500 s of silence put in front",
        "Hard: 100 notes, 4.00 notes/s of 4 asked for, parity violations 0.0% (3 notes turned), onset F1 0.00",
        "warning: careful",
    ]
    value = json.loads(json.dumps(report.as_json()))
    assert value["seam_beats"] == [40.0, 80.0]
    assert value["difficulties"][0]["quality"]["nps"] == 4.0
    assert value["difficulties"][0]["asked_nps"] == 4.0
    assert value["tempo_confidence"] == 0.7
