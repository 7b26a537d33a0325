"""What is known of a film before it is translated, and one sentence for each that cannot be."""

import importlib.util
from fractions import Fraction

import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.translate import video_probe as film_reading
from cyclegan_tf.translate.video_probe import look_at

pytest.importorskip("av", reason='films need PyAV: pip install "cyclegan-tf[video]"')

from tests.helpers.films import pictures, write_film


def test_size_rate_and_count(tmp_path):
    film = look_at(write_film(tmp_path / "a.mp4", pictures(7), sounds=["aac"]))
    assert (film.first.width, film.first.height, film.frames, film.rate) == (48, 32, 7, 30)
    assert (film.quarter_turns, film.matrix) == (0, None)


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_turned_films(tmp_path, degrees, quarters):
    film = look_at(write_film(tmp_path / "a.mp4", pictures(2), turned=degrees, pixel_aspect=Fraction(4, 3)))
    assert film.quarter_turns == quarters
    assert len(film.matrix) == 9
    assert film.pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize(("name", "options"), [("a.mp4", {"movflags": "faststart"}), ("a.mkv", None), ("a.mp4", None)])
def test_a_film_cut_off_is_told_before_it_is_translated(tmp_path, name, options):
    path = write_film(tmp_path / name, pictures(60), sounds=["aac"], container_options=options)
    assert look_at(path).frames == 60
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(UserError, match=r"(is cut off: of 2\.0 s .* it holds 1\.\d s|damaged or cut off)") as caught:
        look_at(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_film(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("not a film")
    with pytest.raises(UserError, match=r"text\.mp4 is not a film, or is damaged"):
        look_at(text)
    with pytest.raises(UserError, match="does not exist"):
        look_at(tmp_path / "none.mp4")
    import av

    with av.open(str(tmp_path / "sound.mkv"), "w") as output:
        track = output.add_stream("flac", rate=48000)
        from tests.helpers.films import _tone

        for frame in _tone(0.2, 440):
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    with pytest.raises(UserError, match="holds no video"):
        look_at(tmp_path / "sound.mkv")


def test_without_pyav_the_way_to_get_it_is_told(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "av" else found(name))
    with pytest.raises(UserError, match=r'pip install "cyclegan-tf\[video\]"'):
        film_reading.require()
