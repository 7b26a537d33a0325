"""The whole job: every good image out once, bad ones listed, also after a kill."""

import importlib.util
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.translate_beam import command as translate_beam
from tests.helpers.errors import refused
from tests.helpers.preloaded import Process

HAS_BEAM = importlib.util.find_spec("apache_beam") is not None
needs_beam = pytest.mark.skipif(not HAS_BEAM, reason='needs Apache Beam: pip install ".[beam]"')

COUNT, EVERY = 600, 60
LIMIT_S = 120


def network():
    from cyclegan_tf.networks import builders as networks

    return networks.build_generator(
        "fast_style", filters=2, blocks=1, seed=1, dtype_policy="float32"
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from cyclegan_tf.export.saved_model import write_saved_model

    folder = tmp_path_factory.mktemp("export") / "tiny"
    shutil.copytree(write_saved_model(folder, network(), 4, 16, {}), folder / "10")
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """600 images of 16 px in folders, one of sixty cut off; also which those are."""
    folder = tmp_path_factory.mktemp("many")
    rng, bad = np.random.default_rng(5), set()
    for index in range(COUNT):
        path = folder / f"{index % 10}" / f"{index:04d}.png"
        image_io.save(path, rng.integers(0, 256, (16, 16, 3), np.uint8))
        if index % EVERY == 42:
            path.write_bytes(path.read_bytes()[:200])
            bad.add(str(path))
    return folder, bad


def words_of(model, folder, output, *more):
    return [str(model), f"{folder}/**", str(output), *more]


def outputs(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.png")}


def stamp(path):
    return path.stat().st_mtime_ns, path.stat().st_ino


def counts(text):
    words = text.splitlines()[0].replace(",", "").split()
    return {name: int(number) for number, name in zip(words[::2], words[1::2], strict=True)}


def dead(output):
    return {
        json.loads(line)["path"]
        for line in (output / "dead_letters.jsonl").read_text().splitlines()
    }


@needs_beam
@pytest.mark.slow
def test_killed_half_way_and_started_again_nothing_is_lost_or_done_twice(
    tmp_path, model, many, capsys
):
    folder, bad = many
    good = {name for name, path in outputs(folder).items() if str(path) not in bad}
    output = tmp_path / "out"
    with (tmp_path / "log").open("w") as log:
        words = words_of(model, folder, output)
        job = Process("cyclegan_tf.translate_beam", words, log.fileno())
        try:
            deadline = time.monotonic() + LIMIT_S
            while len(outputs(output)) < len(good) // 4:
                assert job.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            job.send_signal(signal.SIGKILL)
            job.wait(LIMIT_S)
    whole = {
        name: path for name, path in outputs(output).items() if not name.startswith(".partial-")
    }
    before = {name: stamp(path) for name, path in whole.items()}
    assert 0 < len(before) < len(good)
    assert not (output / "dead_letters.jsonl").exists()
    for path in whole.values():
        image_io.read(path)

    assert translate_beam.main(words_of(model, folder, output)) == 1
    assert counts(capsys.readouterr().out) == {
        "translated": len(good) - len(before),
        "skipped": len(before),
        "failed": len(bad),
    }
    assert set(outputs(output)) == good
    assert {name: stamp(path) for name, path in outputs(output).items() if name in before} == before
    assert dead(output) == bad
    assert sorted(os.listdir(output)) == [
        *(str(digit) for digit in range(10)),
        "dead_letters.jsonl",
    ]

    generator = network()
    for name in sorted(good)[:: len(good) // 20]:
        pixels = image_io.read(folder / name).astype(np.float32)
        wanted = generator(pixels[None] / 127.5 - 1, training=False).numpy()[0]
        np.testing.assert_allclose(image_io.read(output / name), wanted * 127.5 + 127.5, atol=0.51)


@needs_beam
def test_any_size_depth_and_format_as_the_translator_gives_them(tmp_path, model, capsys):
    from cyclegan_tf.translate.translator import Translator
    from tests.helpers.image_files import noise

    sources = {
        "a.png": noise(17, 30), "b/a.bmp": noise(40, 9), "b/c.npy": noise(20, 21, dtype=np.uint16),
        "d.tif": noise(5, 3), "e.png": noise(17, 30, seed=3),
    }  # fmt: skip
    for name, pixels in sources.items():
        image_io.save(tmp_path / "in" / name, pixels)
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    words = words_of(
        model, tmp_path / "in", tmp_path / "in" / "out", "--dead_letters", str(tmp_path / "dead")
    )
    assert translate_beam.main([*words, "--batch_size", "2"]) == 1
    assert counts(capsys.readouterr().out) == {"translated": 5, "skipped": 0, "failed": 1}
    (line,) = (tmp_path / "dead").read_text().splitlines()
    assert json.loads(line)["path"].endswith("notes.txt")
    translate = Translator(network(), 4)
    for name, pixels in sources.items():
        difference = image_io.read(tmp_path / "in" / "out" / name).astype(int) - translate(pixels)
        assert np.abs(difference).max() <= (1 if pixels.itemsize == 1 else 16)  # float rounding
    # The output lies within the pattern, and is not translated again.
    (tmp_path / "in" / "notes.txt").unlink()
    assert translate_beam.main(words) == 0
    assert counts(capsys.readouterr().out) == {"translated": 0, "skipped": 5, "failed": 0}


@needs_beam
def test_other_file_systems_are_reached_through_beams(tmp_path, model, capsys, monkeypatch):
    from apache_beam.io.filesystem import FileMetadata
    from apache_beam.io.localfilesystem import LocalFileSystem

    from tests.helpers.image_files import noise

    def strip(path):
        return path.replace("fake://", str(tmp_path) + "/", 1)

    class FakeFileSystem(LocalFileSystem):
        """A folder of this machine under a scheme of its own."""

        scheme = classmethod(lambda cls: "fake")
        mkdirs = lambda self, path: super().mkdirs(strip(path))  # noqa: E731
        exists = lambda self, path: super().exists(strip(path))  # noqa: E731
        delete = lambda self, paths: super().delete([strip(p) for p in paths])  # noqa: E731
        create = lambda self, path, *a, **k: super().create(strip(path), *a, **k)  # noqa: E731

        def _path_open(self, path, *arguments, **options):
            return super()._path_open(strip(path), *arguments, **options)

        def rename(self, sources, targets):
            super().rename([strip(path) for path in sources], [strip(path) for path in targets])

        def _list(self, folder):
            for file in super()._list(strip(folder)):
                yield FileMetadata(
                    file.path.replace(str(tmp_path) + "/", "fake://", 1), file.size_in_bytes
                )

    image_io.save(tmp_path / "in" / "x" / "a.png", noise(16, 16))
    (tmp_path / "in" / "b.png").write_bytes(b"bad")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    words = ["--model", str(model), "--input", "fake://in/**", "--output", "fake://out"]
    for overwrite in ([], ["--overwrite"]):  # with the former spellings
        assert translate_beam.main([*words, *overwrite]) == 1
        assert counts(capsys.readouterr().out) == {"translated": 1, "skipped": 0, "failed": 1}
    files = [path for path in sorted(tmp_path.rglob("*.*")) if path.is_file()]
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "in/b.png", "in/x/a.png", "out/dead_letters.jsonl", "out/x/a.png",
    ]  # fmt: skip
    assert not list((tmp_path / "here").iterdir())  # nothing of it is taken for a local path
    (letter,) = (tmp_path / "out" / "dead_letters.jsonl").read_text().splitlines()
    letter = json.loads(letter)
    assert letter["path"] == "fake://in/b.png"
    assert "/tmp" not in letter["reason"]
    assert translate_beam.main(words) == 1
    assert counts(capsys.readouterr().out) == {"translated": 0, "skipped": 1, "failed": 1}


@pytest.mark.parametrize(
    ("words", "own"),
    [
        ("m a b out", "-- m a b out"),
        ("m --overwrite a --batch_size 2 out", "--overwrite --batch_size 2 -- m a out"),
        ("m --trust a out", "--trust -- m a out"),
        ("--model m --input=a --overwrite --input b --output o", "--overwrite -- m a b o"),
    ],
)
def test_options_are_ours_or_beams(words, own):
    beams = ["--runner", "FlinkRunner", "--flink_master=h:1"]
    assert translate_beam.split([*words.split(), *beams]) == (own.split(), beams)
    assert translate_beam.split([*beams, *words.split()]) == (own.split(), beams)


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        (["--modle", "m"], "unknown", "--modle"),
        (["--model", "m", "stray"], "unknown", "stray"),
        (["--input", "a", "b", "--model", "m"], "unknown", "b"),
        ([], "missing", "MODEL"),
        (["m", "i"], "missing", "OUTPUT"),
        (["--model", "m", "--output", "o"], "missing", "--input"),
        (["m", "i", "o", "--batch_size", "0"], "invalid", "--batch_size"),
        (["m", "i", "o", "--batch_size", "x"], None, None),
    ],
)
def test_a_mistake_is_one_sentence(words, code, field):
    with pytest.raises(UserError) as caught:
        translate_beam.main(words)
    if code:
        assert (caught.value.code, caught.value.field) == (code, field)
    assert "\n" not in str(caught.value)


@needs_beam
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere", "in/*", "out"], "missing", "holds no SavedModel; give the folder"),
        (["{model}", "nowhere/**", "out"], "missing", "matches no file"),
        (["{model}", "in/*", "out", "--runner", "Fast"], "unknown", "Fast is not known to Beam"),
        (["{model}", "in/*", "out", "--frobnicate", "1"], "unknown", "option --frobnicate"),
        (["{model}", "in/*", "a_file"], "unwritable", "cannot be written"),
    ],
)
def test_a_mistake_that_beam_or_files_show(tmp_path, monkeypatch, model, words, code, message):
    from tests.helpers.image_files import noise

    monkeypatch.chdir(tmp_path)
    image_io.save(Path("in/a.png"), noise())
    Path("a_file").touch()
    with pytest.raises(UserError, match=message) as caught:
        translate_beam.main([word.format(model=model) for word in words])
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert not Path("out").exists()


@needs_beam
def test_a_damaged_model_is_one_sentence(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").write_bytes(b"no protocol buffer")
    with refused("unreadable", tmp_path / "m"):
        translate_beam.main([str(tmp_path / "m"), __file__, str(tmp_path / "o")])


@needs_beam
@pytest.mark.parametrize("name", ["variables/variables.index", "variables/variables.data-*"])
def test_a_model_that_cannot_be_loaded_is_one_sentence(tmp_path, model, name):
    """Where no card tells that it is damaged."""
    from tests.helpers.image_files import noise

    version = shutil.copytree(model / "10", tmp_path / "m")
    (version / "assets.extra" / "card.json").unlink()
    (damaged,) = version.glob(name)
    damaged.write_bytes(damaged.read_bytes()[:100])
    image_io.save(tmp_path / "in" / "a.png", noise())
    with refused("unreadable", "MODEL", match=r"m cannot be loaded \(.*\); export it again\.$"):
        translate_beam.main(words_of(version, tmp_path / "in", tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())


@needs_beam
def test_a_program_is_run_only_if_it_is_trusted(tmp_path, capsys):
    import tensorflow as tf

    from tests.helpers import foreign
    from tests.helpers.image_files import noise

    def act(images):
        tf.io.write_file(str(tmp_path / "written"), "x")
        return images

    folder = foreign.save_program(tmp_path / "m", act)
    image_io.save(tmp_path / "in" / "a.png", noise())
    words = words_of(folder, tmp_path / "in", tmp_path / "out")
    with refused("unsupported", folder):
        translate_beam.main(words)
    assert not (tmp_path / "written").exists()
    assert translate_beam.main(["--trust", *words]) == 0
    assert (tmp_path / "written").exists()


def test_without_beam_the_message_says_how_to_get_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "apache_beam" else found(name)
    )
    with pytest.raises(UserError, match=r'pip install "\.\[beam\]"'):
        translate_beam.main(["m", "i", "o"])
