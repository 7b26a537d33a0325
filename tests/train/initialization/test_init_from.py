"""--init_from: what it may name, what is taken of it, and when it is the same again."""

import re

import numpy as np
import pytest
import yaml

from cyclegan_tf.convert import command as convert
from cyclegan_tf.inspect.training_run import inspect_run
from cyclegan_tf.runs import checkpoints, generators, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from cyclegan_tf.train.initialization.init_from import InitFrom
from cyclegan_tf.train.plan import plan_training
from cyclegan_tf.translate import command as translate
from tests.helpers import foreign, keras2, tiny
from tests.helpers.errors import refused

pytestmark = pytest.mark.usefixtures("plain_graphs")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two networks that are none of ours."""
    folder = tmp_path_factory.mktemp("files")
    for seed, name in enumerate(("there.keras", "back.keras")):
        foreign.save(folder / name, seed=seed)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("images"))


def words(source, run, *more):
    """As tiny.words, but nothing is said of generators."""
    return [word for word in tiny.words(source, run, *more) if not word.startswith("--generator.")]


def weights(path):
    return {
        v.path: np.asarray(v) for v in generators.load_generator(path, "xy", "float32")[0].weights
    }


class TestOf:
    """From words to what they name."""

    def test_nothing(self):
        assert InitFrom.from_options(None, None) is None
        with refused(
            "missing", "--init_from", match="--init_checkpoint is given without --init_from"
        ):
            InitFrom.from_options(None, "best")

    def test_a_run(self, tmp_path):
        assert InitFrom.from_options([str(tmp_path)], "last") == InitFrom(
            run=tmp_path, checkpoint="last"
        )
        folder = tmp_path / "odd.keras"
        folder.mkdir()
        assert InitFrom.from_options([str(folder)], None) == InitFrom(run=folder)

    def test_files(self, files):
        there, back = files / "there.keras", files / "back.keras"
        assert InitFrom.from_options([str(there)], None) == InitFrom(files={"xy": there})
        assert InitFrom.from_options([str(there), str(back)], None) == InitFrom(
            files={"xy": there, "yx": back}
        )

    @pytest.mark.parametrize(
        "given", [["a.keras", "runs/b"], ["a.keras", "b.keras", "c.keras"], ["runs/a", "runs/b"]]
    )
    def test_what_does_not_go_together(self, given):
        with refused(
            "invalid",
            "--init_from",
            match=r"one run directory, or one or two \.keras files .*" + given[1],
        ):
            InitFrom.from_options(given, None)

    def test_a_checkpoint_is_of_a_run(self):
        with refused(
            "mismatch",
            "--init_checkpoint",
            match=r"--init_checkpoint last is given, but a\.keras is a file of one network",
        ):
            InitFrom.from_options(["a.keras"], "last")

    def test_other_files_are_to_be_converted_first(self, tmp_path):
        (tmp_path / "old model.h5").touch()
        command = "python -m cyclegan_tf.convert .*old model.h5' 'old model.keras'"
        with refused("unsupported", "--init_from", match=command):
            InitFrom.from_options([str(tmp_path / "old model.h5")], None)

    def test_a_published_model_of_pytorch_too(self, tmp_path):
        (tmp_path / "latest_net_G.pth").touch()
        with refused("unsupported", "--init_from", match=r"cyclegan_tf\.convert .* \S+\.keras"):
            InitFrom.from_options([str(tmp_path)], None)


def test_two_files_train_resume_and_translate_when_they_are_gone(files, source, tmp_path, capsys):
    copies = [tmp_path / name for name in ("there.keras", "back.keras")]
    for copy in copies:
        copy.write_bytes((files / copy.name).read_bytes())
    run, whole = tmp_path / "run", tmp_path / "whole"
    init = ["--init_from", *map(str, copies)]
    more = ["--training.max_steps=3", "--optimizer.learning_rate=1e-3", "--training.freeze=encoder",
            "--training.checkpoint_every_steps=1"]  # fmt: skip
    assert train.main(words(source, whole, *more, *init)) == 0
    tiny.rewound(whole, run, 1)
    out = capsys.readouterr().out
    assert f"init      generator_xy of {copies[0]}\ninit      generator_yx of {copies[1]}\n" in out
    assert "init      discriminator_x, discriminator_y: anew" in out
    assert train.main(words(source, run, *more, *init)) == 0  # the same again
    assert "the weights of --init_from were taken when this run began" in capsys.readouterr().out
    for copy in copies:
        copy.unlink()
    tiny.assert_same_outcome(run, whole)

    before, after = weights(files / "there.keras"), weights(run)
    assert before.keys() == after.keys()
    for name, values in before.items():
        assert (np.array_equal(values, after[name])) == (
            name.split("/")[0] in ("encode_1", "encode_2")
        ), name

    moved = run.rename(tmp_path / "moved")
    capsys.readouterr()
    assert train.main(["--run_dir", str(moved)]) == 0
    assert "this run is finished" in capsys.readouterr().out
    assert (
        translate.main(
            [str(moved), str(source / "testA"), str(tmp_path / "out"), "--direction", "xy"]
        )
        == 0
    )
    assert len(list((tmp_path / "out").iterdir())) == 2
    found = inspect_run(moved, 16)
    assert found["networks"][0]["parameters"] == sum(values.size for values in before.values())
    assert found["started_from"]["files"]["xy"]["file"] == str(copies[0])


def test_a_model_of_keras_2_and_tensorflow_addons_is_tuned_after_convert(
    source, tmp_path, monkeypatch
):
    arrays = keras2.resnet_arrays(filters=2)
    keras2.write_h5(
        tmp_path / "old.h5", keras2.by_layer(arrays), keras2.resnet_config(arrays, size=32)
    )
    assert convert.main([str(tmp_path / "old.h5"), str(tmp_path / "new.keras")]) == 0
    run = tmp_path / "run"
    other = [
        "--generator.architecture=resnet_6blocks",
        "--generator.blocks=1",
        "--generator.filters=2",
    ]
    trainer = tiny.started(
        monkeypatch, words(source, run, f"--init_from={tmp_path / 'new.keras'}", *other)
    )
    network, image = (
        trainer.model.generator_xy,
        np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)),
    )
    np.testing.assert_allclose(network(image), keras2.run_resnet(arrays, image), atol=1e-5)
    before = [np.asarray(variable) for variable in network.trainable_variables]
    batch = np.float32(image)
    trainer.model.train_step((batch, batch))
    moved = [
        not np.array_equal(old, new)
        for old, new in zip(before, network.trainable_variables, strict=True)
    ]
    assert sum(moved) >= 0.9 * len(moved)


def test_one_file_gives_one_translator_its_weights_and_the_other_none(
    files, source, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    other = [
        "--generator.architecture=resnet_6blocks",
        "--generator.blocks=1",
        "--generator.filters=2",
    ]
    there = files / "there.keras"
    given = words(source, run, "--init_from", str(there), *other, "--training.freeze=encoder")
    model = tiny.started(monkeypatch, given).model
    named = state.network_variables(model.generator_xy, "x")
    for name, values in weights(there).items():
        np.testing.assert_array_equal(named[f"x/{name}"], values)
    assert model.generator_yx.get_layer("block1_add")
    # the other's encoder has learned nothing yet that were worth keeping
    assert not model.generator_xy.get_layer("encode_2").trainable
    assert model.generator_yx.get_layer("down2").trainable
    assert checkpoints.list_checkpoints(run / "checkpoints") == []
    again = tiny.started(monkeypatch, ["--run_dir", str(run)]).model
    np.testing.assert_array_equal(
        again.generator_xy.get_layer("encode_1").kernel, named["x/encode_1/kernel"]
    )


class TestTakeArchitecture:
    """Channels and networks of files before the options, after a config file."""

    def test_channels_come_with_the_files(self, source, tmp_path):
        foreign.save(tmp_path / "n.keras", channels=(1, 3))
        given = ["--data.source", str(source), "--init_from", str(tmp_path / "n.keras")]
        with refused("mismatch", "loss.identity"):
            plan_training(given)
        e = plan_training([*given, "--loss.identity=0"]).experiment
        assert (e.data.channels_x, e.data.channels_y) == (1, 3)
        assert e.generator.init_file_xy == str(tmp_path / "n.keras")
        with refused(
            "mismatch", "data.channels_x", match=r"n\.keras is for images of X with 1 channels, but"
        ):
            train.main([*given, "--data.channels_x=3", "--run_dir", str(tmp_path / "run")])
        assert not (tmp_path / "run").exists()

    def test_a_config_file_says_nothing_of_networks_that_are_there(self, files, source, tmp_path):
        file = tmp_path / "e.yaml"
        file.write_text(
            yaml.safe_dump(
                {"generator": {"color_skip": "auto", "filters": 7}, "loss": {"cycle_x": 3.0}}
            )
        )
        given = [
            "--config",
            str(file),
            "--data.source",
            str(source),
            "--init_from",
            str(files / "there.keras"),
        ]
        e = plan_training(given).experiment
        assert (e.generator.filters, e.generator.color_skip, e.loss.cycle_x) == (7, "off", 3.0)
        e = plan_training([*given, str(files / "back.keras")]).experiment
        assert (e.generator.filters, e.generator.init_file_yx) == (None, str(files / "back.keras"))
        with refused("invalid", "generator.filters"):
            plan_training([*given, str(files / "back.keras"), "--generator.filters=5"])

    def test_what_gives_way_is_named(self, files, source, tmp_path, monkeypatch, capsys):
        file = tmp_path / "e.yaml"
        file.write_text(
            yaml.safe_dump(
                {"generator": {"color_skip": "auto", "upsampling": "auto", "norm": "instance"}}
            )
        )
        given = words(
            source,
            tmp_path / "run",
            "--config",
            str(file),
            "--init_from",
            str(files / "there.keras"),
        )
        given = [word for word in given if "=" not in word or not word.startswith("--generator.")]
        tiny.started(monkeypatch, given)
        notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note ")]
        assert notes == [
            "note      of --config, generator.color_skip give way to the networks of --init_from"
        ]

    def test_the_crop_must_be_one_the_network_takes(self, files, source, tmp_path):
        given = [
            *words(source, tmp_path / "run"),
            "--init_from",
            *(str(files / f"{n}.keras") for n in ("there", "back")),
        ]
        with refused(
            "invalid",
            "data.crop_size_px",
            match=r"crop_size_px is 18, but there.keras and back.keras need a multiple of 4",
        ):
            train.main([*given, "--data.crop_size_px=18"])


class TestCheckSame:
    """A run that began with files."""

    @pytest.fixture
    def run(self, files, source, tmp_path, monkeypatch):
        given = ["--init_from", *(str(files / f"{name}.keras") for name in ("there", "back"))]
        tiny.started(monkeypatch, words(source, tmp_path / "run", *given))
        return RunDirectory(tmp_path / "run")

    def test_the_same_files_under_other_names_are_the_same(self, run, files, tmp_path):
        for old, new in (("there", "a"), ("back", "b")):
            (tmp_path / f"{new}.keras").write_bytes((files / f"{old}.keras").read_bytes())
        InitFrom.from_options(
            [str(tmp_path / "a.keras"), str(tmp_path / "b.keras")], None
        ).check_resumable(run)
        # and named as fields of the experiment
        named = [f"--generator.init_file_xy={tmp_path / 'a.keras'}"]
        run.check_resumable(plan_training(["--run_dir", str(run.path), *named]).experiment)
        with refused("mismatch", "generator.init_file_xy"):
            run.check_resumable(
                plan_training(
                    ["--run_dir", str(run.path), named[0].replace("a.keras", "b.keras")]
                ).experiment
            )

    def test_anything_else_is_refused(self, run, files, tmp_path):
        began = re.escape(
            f"began with the networks of {files / 'there.keras'} and {files / 'back.keras'}"
        )
        for other in (
            [str(files / "there.keras")],
            [str(files / "back.keras"), str(files / "there.keras")],
            ["runs/x"],
        ):
            with refused("mismatch", "--init_from", match=began):
                InitFrom.from_options(other, None).check_resumable(run)
