import json

from bgb_assets.modalities.beatmap import raw
from bgb_assets.modalities.beatmap.synthetic.synth_files import write_map
from bgb_assets.modalities.beatmap.synthetic.synth_map import Map, Note, Wall
from bgb_assets.modalities.beatmap.synthetic.synth_score import Score, Section

SCORE = Score(120.0, ((8.0, 90.0),), (Section("verse", 0, 4),), (), ())
HEAD, TAIL = Note(4.0, 0, 1, 0, 1), Note(6.0, 0, 0, 2, 4)
DRAWN = Map(
    notes=(HEAD, Note(5 + 1 / 3, 1, 2, 2, 0), TAIL, Note(10.0, 1, 3, 0, 0)),
    bombs=(Note(5.0, -1, 1, 0, 8),),
    walls=(Wall(12.0, 2.0, 3),),
    arcs=((HEAD, TAIL),),
    chains=((Note(10.0, 1, 3, 0, 0), Note(10.25, 1, 3, 2, 8)),),
)


def read_back(tmp_path, major_version):
    upload, out = tmp_path / "upload", tmp_path / "out"
    upload.mkdir()
    out.mkdir()
    write_map(upload, "Title", SCORE, {"Expert": DRAWN}, major_version)
    result = raw.run({"upload": upload}, raw.RawParams(), out)
    objects = json.loads((out / "Standard.Expert.json").read_text())["objects"]
    (tempo,) = json.loads((out / "tempo.json").read_text())["tempo_maps"].values()
    return result, objects, tempo


def test_both_schemas_read_back_as_the_same_map(tmp_path):
    (tmp_path / "2").mkdir()
    (tmp_path / "3").mkdir()
    _, second, second_tempo = read_back(tmp_path / "2", 2)
    _, third, third_tempo = read_back(tmp_path / "3", 3)
    assert second_tempo == third_tempo
    assert third_tempo["bpms"] == [120.0, 90.0]
    for kind in ("notes", "bombs", "walls", "arcs"):
        assert second[kind] == third[kind], kind


def test_values_are_read_back(tmp_path):
    _, objects, _ = read_back(tmp_path, 3)
    assert objects["notes"]["beat"] == [4.0, 5.33333, 6.0, 10.0]
    assert objects["notes"]["cut_direction"] == [1, 0, 4, 0]
    assert objects["bombs"]["beat"] == [5.0]
    assert (objects["walls"]["height"], objects["walls"]["duration_beats"]) == ([5], [2.0])
    assert (objects["arcs"]["tail_beat"], objects["arcs"]["tail_cut"]) == ([6.0], [4])
    assert (objects["chains"]["tail_beat"], objects["chains"]["slices"]) == ([10.25], [4])
