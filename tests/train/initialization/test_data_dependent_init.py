"""What a training takes from its images before its first step."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.runs import checkpoints, generators, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from cyclegan_tf.train.initialization import data_dependent_init
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny
from tests.helpers.errors import refused


def folder(root, change):
    """Six images of X, and six others under a change of color for Y."""
    rng = np.random.default_rng(5)
    for name, changed in (("trainA", False), ("trainB", True)):
        (root / name).mkdir(parents=True)
        for index in range(6):
            small = rng.uniform(40, 200, (4, 4, 3))
            image = np.repeat(np.repeat(change(small) if changed else small, 6, axis=0), 6, axis=1)
            Image.fromarray(image.round().astype(np.uint8)).save(root / name / f"{index}.png")
    return root


def similar(image):
    """Red and blue exchanged, and lighter."""
    return 0.8 * image[..., ::-1] + 40


def dissimilar(image):
    """Nearly gray."""
    return 0.03 * image + 128


class TestColorSkip:
    WORDS = (
        "--generator.color_skip=auto",
        "--training.max_steps=2",
        "--training.checkpoint_every_steps=1",
    )

    def started(self, monkeypatch, source, run, *more):
        return tiny.started(monkeypatch, tiny.words(source, run, *self.WORDS, *more)).model

    def test_similar_domains_start_from_the_map_of_their_colors(
        self, tmp_path, monkeypatch, capsys
    ):
        model = self.started(monkeypatch, folder(tmp_path / "images", similar), tmp_path / "run")
        out = capsys.readouterr().out
        assert "colors    skip connection around the generators (colors are similar" in out
        assert RunDirectory(tmp_path / "run").experiment().generator.color_skip == "on"
        assert model.loss_weights["identity_x"] == model.loss_weights["identity_y"] == 0
        skip = model.generator_xy.get_layer("colour_skip")
        white, black = (
            float(np.mean(skip(np.full((1, 1, 1, 3), level, np.float32)))) for level in (0.6, -0.6)
        )
        assert white > 0.5
        assert black < 0

    def test_dissimilar_domains_have_none(self, tmp_path, monkeypatch, capsys):
        model = self.started(monkeypatch, folder(tmp_path / "images", dissimilar), tmp_path / "run")
        assert "colors    no skip connection (colors are dissimilar" in capsys.readouterr().out
        assert model.loss_weights["identity_x"] == model.loss_weights["identity_y"] == 5
        assert "colour_skip" not in [layer.name for layer in model.generator_xy.layers]
        assert RunDirectory(tmp_path / "run").experiment().generator.color_skip == "off"

    def test_on_means_dissimilar_domains_too(self, tmp_path, monkeypatch, capsys):
        source = folder(tmp_path / "images", dissimilar)
        model = self.started(monkeypatch, source, tmp_path / "run", "--generator.color_skip=on")
        assert re.search(
            r"colors    skip connection around the generators \(colors are dissimilar, str\w+ \d",
            capsys.readouterr().out,
        )
        assert model.loss_weights["identity_x"] == model.loss_weights["identity_y"] == 0
        skip = model.generator_xy.get_layer("colour_skip")
        image = np.random.default_rng(1).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
        assert np.abs(np.tanh(skip(image))).max() < 0.2  # nearly gray, as all of Y is
        assert RunDirectory(tmp_path / "run").experiment().generator.color_skip == "on"

    @pytest.mark.parametrize("change", [similar, dissimilar])
    @pytest.mark.parametrize(
        ("sizes", "last"),
        [
            (("--data.load_size_px=18",), "last"),
            (
                (
                    "--data.load_size_px=128",
                    "--data.crop_size_px=128",
                    "--generator.architecture=unet_128",
                ),
                "up1",
            ),
        ],
        ids=["resnet", "unet"],
    )
    def test_the_last_layer_beside_a_color_skip_starts_at_a_tenth(
        self, tmp_path, monkeypatch, change, sizes, last
    ):
        source = folder(tmp_path / "images", change)
        unet = any("unet" in word for word in sizes)
        kernels = {}
        for skip in ("auto", "off"):
            words = tiny.words(source, tmp_path / skip, f"--generator.color_skip={skip}")
            words = [word for word in words if not (unet and "blocks" in word)]
            model = tiny.started(monkeypatch, [*words, *sizes]).model
            kernels[skip] = [
                np.asarray(getattr(model, f"generator_{way}").get_layer(last).kernel)
                for way in ("xy", "yx")
            ]
        factor = 0.1 if change is similar else 1
        for beside, alone in zip(kernels["auto"], kernels["off"], strict=True):
            np.testing.assert_allclose(beside, factor * alone, rtol=1e-6)

    def test_identity_weights_given_one_by_one_are_kept(self, tmp_path, monkeypatch):
        source = folder(tmp_path / "images", similar)
        model = self.started(monkeypatch, source, tmp_path / "run", "--loss.identity_x=5")
        assert model.loss_weights["identity_x"] == 5

    def test_one_that_comes_in_a_file_is_minded_too(self, tmp_path, monkeypatch):
        source = folder(tmp_path / "images", similar)
        model = self.started(monkeypatch, source, tmp_path / "run")
        files = [tmp_path / f"{way}.keras" for way in ("xy", "yx")]
        for file, network in zip(files, (model.generator_xy, model.generator_yx), strict=True):
            network.save(file)
        more = [
            "--init_from",
            *map(str, files),
            f"--data.source={source}",
            f"--run_dir={tmp_path / 'tuned'}",
        ]
        words = [word for word in tiny.WORDS if not word.startswith("--generator.")]
        assert tiny.started(monkeypatch, [*words, *more]).model.loss_weights["identity_x"] == 0


class TestWhatAutoBecomes:
    AUTO = "--generator.long_skips=auto", "--generator.upsampling=auto"

    @staticmethod
    def kinds_in(network):
        names = [layer.name for layer in network.layers]
        resize = any("_resize" in name for name in names)
        return "resize" if resize else "transposed", any("long_skip" in name for name in names)

    @pytest.mark.parametrize(
        ("change", "expected", "lines"),
        [
            (
                similar,
                ("resize", "on"),
                (
                    "upsample  resize + convolution (colors are similar, stretched up to 1.",
                    "skips     long ones (colors are similar, stretched up to 1.",
                ),
            ),
            (
                dissimilar,
                ("transposed", "off"),
                (
                    "upsample  transposed convolution (colors are dissimilar,",
                    "skips     no long ones (colors are dissimilar,",
                ),
            ),
        ],
        ids=["similar", "dissimilar"],
    )
    def test_follows_the_colors(self, tmp_path, monkeypatch, capsys, change, expected, lines):
        source, run = folder(tmp_path / "images", change), tmp_path / "run"
        model = tiny.started(monkeypatch, tiny.words(source, run, *self.AUTO)).model
        generator = RunDirectory(run).experiment().generator
        assert (generator.upsampling, generator.long_skips) == expected
        built = (expected[0], expected[1] == "on")
        assert self.kinds_in(model.generator_xy) == self.kinds_in(model.generator_yx) == built
        out = capsys.readouterr().out
        assert all(line in out for line in lines)

    def test_modern_is_the_papers_recipe_where_colors_are_dissimilar(self, tmp_path, monkeypatch):
        source = folder(tmp_path / "images", dissimilar)
        modern = Path(__file__).parents[3] / "configs" / "modern.yaml"
        found = {}
        for name, more in (("paper", []), ("modern", ["--config", str(modern)])):
            trainer = tiny.started(monkeypatch, [*more, *tiny.words(source, tmp_path / name)])
            arrays = state.snapshot(state.variables(trainer.model))
            found[name] = arrays, RunDirectory(tmp_path / name).experiment().as_dict()
        (arrays, experiment), (arrays_of_paper, paper) = found["modern"], found["paper"]
        # What begins alike under the same settings goes on alike.
        assert experiment == paper
        assert set(arrays) == set(arrays_of_paper)
        for name, array in arrays_of_paper.items():
            np.testing.assert_array_equal(arrays[name], array, err_msg=name)

    @pytest.mark.usefixtures("step_by_step")
    def test_a_resumed_run_keeps_what_was_decided(self, tmp_path, monkeypatch, capsys):
        source, run = folder(tmp_path / "images", similar), tmp_path / "run"
        more = "--generator.color_skip=auto", "--training.max_steps=2"
        words = tiny.words(source, run, *self.AUTO, *more, "--training.checkpoint_every_steps=1")
        assert train.main(words) == 0
        assert "colors    skip connection" in capsys.readouterr().out
        assert self.kinds_in(generators.load_generator(run, "xy")[0]) == ("resize", True)
        arrays, step, rows = tiny.outcome(run)
        checkpoints.list_checkpoints(RunDirectory(run).checkpoints)[0].unlink()
        for path in (source / "trainB").iterdir():  # the images would now decide otherwise
            Image.new("RGB", (24, 24), (128, 128, 128 + int(path.stem))).save(path)
        model = tiny.started(monkeypatch, words).model
        out = capsys.readouterr().out
        assert "upsample  resize + convolution (as when this run began)" in out
        assert "skips     long ones (as when this run began)" in out
        assert "skip connection around the generators (colors are" not in out
        again = state.snapshot(state.variables(model))
        assert step == 2
        assert model.loss_weights["identity_x"] == 0
        starts = [name for name in arrays if name.endswith("kernel_start")]
        assert len(starts) == 2
        for name in starts:
            np.testing.assert_array_equal(again[name], arrays[name])
            assert np.abs(arrays[name]).max() > 0.3
        assert "identity_x" not in [row for row in rows if row["kind"] == "train"][-1]
        with refused("mismatch", match="long_skips is 'on' there, 'off' asked"):
            train.main([word.replace("long_skips=auto", "long_skips=off") for word in words])
        with refused("mismatch", match="upsampling is 'resize' there, 'transposed' asked"):
            train.main([word.replace("upsampling=auto", "upsampling=transposed") for word in words])

    def test_the_chief_decides_for_all(self, tmp_path):
        class Machine:
            workers, is_chief, sent = (
                2,
                False,
                {
                    "long_skips": np.array(1),
                    "upsampling": np.array(1),
                    "is_active": np.array(0),
                },
            )

            def broadcast(self, arrays):
                assert set(arrays) == set(self.sent)
                return self.sent

        e = plan_training([*tiny.WORDS, "--data.source", "x", *self.AUTO]).experiment
        resolved = data_dependent_init.resolve_auto_fields(
            e, None, RunDirectory(tmp_path / "private"), Machine()
        )
        assert resolved.experiment.generator.long_skips == "on"
        assert resolved.experiment.generator.upsampling == "resize"
        assert resolved.descriptions == {
            "skips": "long ones (as the chief decided)",
            "upsample": "resize + convolution (as the chief decided)",
        }

    def test_a_u_net_has_skips_of_its_own(self, tmp_path, monkeypatch, capsys):
        source, run = folder(tmp_path / "images", similar), tmp_path / "run"
        words = [word for word in tiny.words(source, run, *self.AUTO) if "blocks" not in word]
        sizes = [
            "--data.load_size_px=128",
            "--data.crop_size_px=128",
            "--generator.architecture=unet_128",
        ]
        model = tiny.started(monkeypatch, [*words, *sizes]).model
        assert self.kinds_in(model.generator_xy) == ("resize", False)
        assert "skips     no long ones (a U-Net has skips of its own)" in capsys.readouterr().out

    def test_what_is_asked_for_is_kept(self, tmp_path):
        e = plan_training(["--data.source=x", "--generator.long_skips=on"]).experiment
        resolved = data_dependent_init.resolve_auto_fields(e, None, RunDirectory(tmp_path / "run"))
        assert (resolved.experiment, resolved.descriptions) == (e, {})

    def test_domains_of_different_channels_have_none(self, tmp_path, monkeypatch, capsys):
        source = folder(tmp_path / "images", similar)
        for path in (source / "trainB").iterdir():
            Image.open(path).convert("L").save(path)
        words = tiny.words(
            source, tmp_path / "run", "--data.channels_y=1", "--loss.identity=0", *self.AUTO
        )
        assert self.kinds_in(tiny.started(monkeypatch, words).model.generator_xy) == (
            "transposed",
            False,
        )
        assert "no long ones (the domains have different channels)" in capsys.readouterr().out
