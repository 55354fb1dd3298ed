import json
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.formats.identities import beatmap_id
from bgb_assets.modalities.beatmap.formats.objects import empty_objects
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events, tempo_from_regions
from bgb_assets.modalities.beatmap.writing.export import FORMATS, plain_cover, render_map, write_folder, write_zip
from bgb_assets.modalities.beatmap.writing.lights import simple_lights
from bgb_assets.modalities.beatmap.writing.retiming import same_tempo
from bgb_assets.modalities.beatmap.writing.song_to_write import AudioToWrite, DifficultyToWrite, SongToWrite
from bgb_assets.modalities.beatmap.writing.write_info import difficulty_file
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed

CONSTANT = tempo_from_events(128.3, [], []).tempo
NEAR_S = {"v2": 1e-9, "v3": 1e-9, "v4": 1 / 44_100}
"""Version 4 ties beats to whole samples."""


def song(*difficulties, tempo=CONSTANT, **more):
    return SongToWrite("A title", tempo, tuple(difficulties), artist="A band", mappers=("A mapper",), **more)


def expert(document):
    return DifficultyToWrite("Standard", "Expert", parsed(document).parsed.objects)


def written(to_write, format_, folder, **options):
    write_folder(render_map(to_write, format_, **options), folder)
    return read_song(folder)


def real_difficulties():
    found = []
    for name in ("werewolf_howls", "JOURNEY"):
        for item in read_song(shared_data("beatmap") / "maps" / name).readable:
            found.append(
                (DifficultyToWrite(item.info.characteristic, item.info.difficulty, item.parsed.objects), item.tempo)
            )
    return found


def random_tempo(rng):
    beats = np.sort(rng.choice(np.arange(1, 400), rng.integers(1, 9), replace=False)).astype(float)
    return tempo_from_events(rng.uniform(60, 240), beats, rng.uniform(60, 240, len(beats))).tempo


@pytest.mark.parametrize("format_", FORMATS)
def test_real_maps_are_read_back_with_equal_ids_and_tempo(tmp_path, format_):
    rng, checked = np.random.default_rng(11), 0
    for number, (difficulty, own) in enumerate(real_difficulties()):
        if format_ == "v2" and difficulty.characteristic == "OneSaber":
            continue  # has angles, which version 2 cannot hold
        for tempo in (own, random_tempo(rng)):
            again = written(song(difficulty, tempo=tempo), format_, tmp_path / f"{number} {tempo.changes}")
            (item,) = again.readable
            assert beatmap_id(item.parsed.objects) == beatmap_id(difficulty.objects)
            assert again.status == "ok"
            assert again.warnings == ("no_audio: Info names 'song.ogg', which is not in the upload",)
            beats = difficulty.objects["notes"]["beat"]
            assert np.abs(item.tempo.time(beats) - tempo.time(beats)).max() < NEAR_S[format_]
        checked += 1
    assert checked == (6 if format_ == "v2" else 7)


@pytest.mark.parametrize("format_", FORMATS)
def test_tempo_is_read_back(tmp_path, format_):
    rng = np.random.default_rng(5)
    beats = rng.uniform(0, 500, 50)
    for number, tempo in enumerate([CONSTANT, *(random_tempo(rng) for _ in range(20))]):
        to_write = song(expert(difficulty_v3({"b": 500.0})), tempo=tempo)
        again = written(to_write, format_, tmp_path / str(number)).readable[0].tempo
        assert np.abs(again.time(beats) - tempo.time(beats)).max() < NEAR_S[format_]


def full_map():
    return difficulty_v3(
        {"b": 1.5, "x": 2, "y": 1, "c": 1, "d": 4},
        {"b": 1.5, "x": 1000, "y": -2, "customData": {"uninteractable": True}},
        bombNotes=[{"b": 2, "x": 3}, {"b": 2, "x": 3, "customData": {"uninteractable": True}}],
        obstacles=[
            {"b": 3, "d": 2.5, "x": 0, "y": 0, "w": 1, "h": 5},
            {"b": 4, "d": -1, "x": 1, "y": 2, "w": 2, "h": 3, "customData": {"uninteractable": True}},
            {"b": 5, "d": 1, "x": -1, "y": 1, "w": 9, "h": 2},
        ],
        sliders=[
            {"b": 6, "c": 1, "x": 1, "y": 2, "d": 3, "mu": 0.5, "tb": 7, "tx": 2, "ty": 1, "tc": 5, "tmu": 2, "m": 1}
        ],
        rotationEvents=[{"b": 2, "e": 1, "r": -30}, {"b": 3, "r": 60}],
    )


CHAINS = {"burstSliders": [{"b": 8, "c": 1, "x": 1, "d": 1, "tb": 8, "tx": 2, "ty": 2, "sc": 4, "s": 0.75}]}


@pytest.mark.parametrize("format_", FORMATS)
def test_every_field_of_every_kind_is_read_back(tmp_path, format_):
    to_write = expert(full_map() | ({} if format_ == "v2" else CHAINS))
    again = written(song(to_write), format_, tmp_path / "map").readable[0].parsed.objects
    for kind, columns in to_write.objects.items():
        for name, column in columns.items():
            assert again[kind][name].tolist() == column.tolist(), (kind, name)


beats = st.integers(-960, 960 * 400).map(lambda tick: tick / 960)
small = st.integers(-3, 9)
colors = st.integers(0, 1)


def rows_of(**fields):
    return st.lists(st.fixed_dictionaries(fields), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=rows_of(b=beats, x=small, y=small, c=colors, d=small),
    bombs=rows_of(b=beats, x=small, y=small),
    walls=rows_of(b=beats, d=beats, x=small, y=small, w=small, h=small),
    arcs=rows_of(b=beats, c=colors, x=small, d=small, mu=beats, tb=beats, tx=small, tc=small, tmu=beats, m=small),
)
def test_any_objects_are_read_back_from_every_format(tmp_path, notes, bombs, walls, arcs):
    difficulty = expert(difficulty_v3(*notes, bombNotes=bombs, obstacles=walls, sliders=arcs))
    ids = set()
    for format_ in FORMATS:
        again = written(song(difficulty), format_, tmp_path / format_).readable[0]
        ids.add(beatmap_id(again.parsed.objects))
    assert ids == {beatmap_id(difficulty.objects)}


def test_jump_speed_events_make_it_version_4_1(tmp_path):
    njs = {"version": "4.1.0", "njsEvents": [{"b": 1, "i": 0}], "njsEventData": [{"d": 2.5, "e": 1, "p": 1}]}
    again = written(song(expert(njs)), "v4", tmp_path / "map").readable[0]
    assert again.version.text == "4.1.0"
    assert again.parsed.objects["njs"]["delta"].tolist() == [2.5]


@pytest.mark.parametrize(
    ("format_", "document", "message"),
    [
        ("v2", difficulty_v3(**CHAINS), "map format v2 cannot hold 1 chains"),
        ("v2", difficulty_v3({"a": 5}, {"a": 6, "b": 1}), "map format v2 cannot hold 2 angles"),
        ("v2", difficulty_v3(rotationEvents=[{"r": 7}]), "map format v2 cannot hold 1 rotations"),
        (
            "v3",
            {"version": "4.1.0", "njsEvents": [{"b": 1}], "njsEventData": [{"d": 1}]},
            "map format v3 cannot hold 1 jump speed events",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_refused_or_counted(tmp_path, format_, document, message):
    to_write = song(expert(document))
    with pytest.raises(BadInput) as caught:
        render_map(to_write, format_)
    assert str(caught.value) == f"{message}; choose another format or allow losses"
    rendered = render_map(to_write, format_, lossy=True)
    assert [f"{number} {what}" for what, number in rendered.lost.items()] == [message.split("hold ")[1]]
    write_folder(rendered, tmp_path / "map")
    assert read_song(tmp_path / "map").status == "ok"


@pytest.mark.parametrize("format_", FORMATS)
def test_info_says_who_what_and_how_fast(tmp_path, format_):
    easy = DifficultyToWrite("Standard", "Easy", empty_objects())
    fast = DifficultyToWrite("OneSaber", "ExpertPlus", empty_objects(), njs=21.5, njo=-0.5, requirements=("Chroma",))
    info = written(song(easy, fast, subtitle="live"), format_, tmp_path / "map").info
    assert (info.title, info.subtitle, info.artist, info.mappers) == ("A title", "live", "A band", ("A mapper",))
    assert info.bpm == 128.3
    assert [
        (item.characteristic, item.difficulty, item.njs, item.njo, item.requirements) for item in info.difficulties
    ] == [
        ("OneSaber", "ExpertPlus", 21.5, -0.5, ("Chroma",)),
        ("Standard", "Easy", 10, 0, ()),
    ]


def test_difficulties_must_be_named_once_and_known():
    one = expert(full_map())
    with pytest.raises(BadInput, match="each only once"):
        render_map(song(one, one))
    with pytest.raises(BadInput, match="at least one difficulty"):
        render_map(song())
    with pytest.raises(BadInput, match=r"unknown difficulties \['Lunatic'\]"):
        render_map(song(DifficultyToWrite("Standard", "Lunatic", empty_objects())))
    with pytest.raises(BadInput, match="unknown map format 'v9'"):
        render_map(song(one), "v9")


def test_file_names_are_safe():
    assert difficulty_file(DifficultyToWrite("../x", "Easy", empty_objects())) == "Easy%2E%2E%2Fx.dat"


@pytest.mark.parametrize("format_", FORMATS)
def test_zips_are_flat_and_equal_on_repeat(tmp_path, format_):
    audio = AudioToWrite(b"OggS", 44100, 44100 * 10)
    to_write = song(expert(full_map()), audio=audio)
    for name in ("a.zip", "b.zip"):
        write_zip(render_map(to_write, format_), tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert names[0] == "Info.dat"
    assert {"ExpertStandard.dat", "song.ogg", "cover.png"} <= set(names)
    assert not any("/" in name for name in names)


def test_version_4_has_audio_data_to_the_end_of_song_and_objects(tmp_path):
    audio = AudioToWrite(b"OggS", 48000, 48000 * 100)
    write_folder(render_map(song(expert(difficulty_v3({"b": 50})), audio=audio), "v4"), tmp_path)
    data = read_json(tmp_path / "AudioData.dat", "AudioData.dat")
    assert (data["songFrequency"], data["songSampleCount"]) == (48000, 4_800_000)
    assert data["bpmData"][0]["ei"] >= 4_800_000
    write_folder(render_map(song(expert(difficulty_v3({"b": 5000.5})), audio=audio), "v4"), tmp_path)
    assert read_json(tmp_path / "AudioData.dat", "AudioData.dat")["bpmData"][-1]["eb"] == 5001


def test_the_plain_cover_is_a_png_of_256_pixels():
    cover = plain_cover()
    assert cover[:8] == b"\x89PNG\r\n\x1a\n"
    assert cover[16:24] == (256).to_bytes(4, "big") * 2
    at = cover.index(b"IDAT")
    length = int.from_bytes(cover[at - 4 : at], "big")
    assert len(zlib.decompress(cover[at + 4 : at + 4 + length])) == 256 * (1 + 3 * 256)
    assert zlib.crc32(cover[at : at + 4 + length]) == int.from_bytes(cover[at + 4 + length : at + 8 + length], "big")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_light_show_changes_no_note_and_is_read_without_a_word(tmp_path, format_):
    show = simple_lights(np.tile([1.0, 0.0, 0.2, 0.0, 0.0], 200), 0.1, CONSTANT)
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / "song.ogg").write_bytes(b"RIFF")
    difficulty = expert(full_map())
    again = written(song(difficulty, lights=show), format_, tmp_path / "map")
    assert again.warnings == ()
    assert again.readable[0].flags == ("rotation",)
    assert beatmap_id(again.readable[0].parsed.objects) == beatmap_id(difficulty.objects)


def test_difficulties_of_version_4_share_equal_light_shows(tmp_path):
    show = simple_lights(np.ones(300), 0.1, CONSTANT)
    own = simple_lights(np.ones(30), 0.1, CONSTANT)
    names = ("Easy", "Normal", "Hard")
    shows = (None, own, None)
    difficulties = [
        DifficultyToWrite("Standard", name, empty_objects(), lights=lights)
        for name, lights in zip(names, shows, strict=True)
    ]
    rendered = render_map(song(*difficulties, lights=show), "v4")
    entries = json.loads(rendered.files["Info.dat"])["difficultyBeatmaps"]
    files = ["Lightshow.dat", "LightshowNormalStandard.dat", "Lightshow.dat"]
    assert [entry["lightshowDataFilename"] for entry in entries] == files
    sizes = [len(json.loads(rendered.files[name])["basicEvents"]) for name in files]
    assert sizes == [len(show.beat), len(own.beat), len(show.beat)]


@pytest.mark.parametrize("format_", ["v2", "v3"])
def test_difficulties_may_have_tempo_maps_of_their_own(tmp_path, format_):
    slow = tempo_from_events(90, [8], [60]).tempo
    easy = DifficultyToWrite("Standard", "Easy", expert(full_map()).objects, tempo=slow)
    easy_again, expert_again = written(song(easy, expert(full_map())), format_, tmp_path / "map").readable
    assert same_tempo(easy_again.tempo, slow)
    assert same_tempo(expert_again.tempo, CONSTANT)


def test_version_4_has_one_tempo_map_and_keeps_the_seconds_of_others(tmp_path):
    slow = tempo_from_events(90, [3], [60]).tempo
    easy = DifficultyToWrite("Standard", "Easy", expert(full_map()).objects, tempo=slow)
    to_write = song(easy, expert(full_map()))
    with pytest.raises(BadInput, match="1 tempo maps of single difficulties"):
        render_map(to_write, "v4")
    (again, _) = written(to_write, "v4", tmp_path / "map", lossy=True).readable
    check_equal_seconds(again, easy.objects, slow, 1 / 44_100)


def check_equal_seconds(again, objects, tempo, near_s):
    for kind, columns in objects.items():
        ends = columns["beat"] + columns.get("duration_beats", 0)
        found = again.parsed.objects[kind]
        found_ends = found["beat"] + found.get("duration_beats", 0)
        for before, after in ((columns["beat"], found["beat"]), (ends, found_ends)):
            assert np.abs(np.sort(tempo.time(before)) - np.sort(again.tempo.time(after))).max(initial=0) <= near_s


GAPS = tempo_from_regions(120, [[22_050, 66_150, 0, 2], [88_200, 132_300, 4, 8]], 44_100).tempo


@pytest.mark.parametrize("format_", ["v2", "v3"])
def test_tempo_regions_with_gaps_are_refused_or_keep_their_seconds(tmp_path, format_):
    to_write = song(expert(full_map()), tempo=GAPS)
    with pytest.raises(BadInput, match="1 gaps between tempo regions"):
        render_map(to_write, format_)
    again = written(to_write, format_, tmp_path / "map", lossy=True).readable[0]
    check_equal_seconds(again, expert(full_map()).objects, GAPS, 1e-9)


def test_version_4_holds_tempo_regions_with_gaps(tmp_path):
    again = written(song(expert(full_map()), tempo=GAPS), "v4", tmp_path / "map").readable[0]
    assert not again.tempo.regular
    beats = np.linspace(-1, 40, 100)
    assert np.abs(again.tempo.time(beats) - GAPS.time(beats)).max() <= 1 / 44_100
    assert beatmap_id(again.parsed.objects) == beatmap_id(expert(full_map()).objects)


def test_version_4_has_no_offset_and_no_shuffle(tmp_path):
    to_write = song(expert(full_map()), song_time_offset_s=0.25, shuffle=1.0)
    with pytest.raises(BadInput, match="map format v4 cannot hold 1 shuffle, 1 song time offset"):
        render_map(to_write, "v4")
    info = written(to_write, "v3", tmp_path / "map").info
    assert (info.song_time_offset_s, info.shuffle) == (0.25, 1.0)
