"""The training command in this process: what a run leaves behind, exact resume, refusals."""

import itertools
import json
import os
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from cyclegan_tf.errors import TrainingStoppedError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from cyclegan_tf.train.plan import plan_training
from tests.helpers import quicker, tiny
from tests.helpers.errors import refused

pytestmark = pytest.mark.usefixtures("plain_graphs")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def train_only(tmp_path_factory):
    """No test images: their losses and scores take longer than a few steps."""
    return tiny.folder(tmp_path_factory.mktemp("images"), (5, 4, 0, 0))


@pytest.fixture(scope="module")
def finished(source, tmp_path_factory):
    """A run never disturbed: two epochs of five steps."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    assert train.main(tiny.words(source, run, "--logging.test_every_epochs=1")) == 0
    return run


def test_a_run_directory_holds_all_that_was_promised(finished):
    names = {
        path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()
    }
    assert {
        "config.yaml", "environment.json", "metrics.jsonl", "generator_xy.keras",
        "generator_yx.keras",
        "index.html",
        "checkpoints/step_000000010.npz", "samples/step_000000010_xy.png",
        "samples/step_000000010_yx.png", "data.json",
    } <= names  # fmt: skip
    assert not [name for name in names if "partial" in name]
    assert RunDirectory(finished).experiment().data.crop_size_px == 16
    rows = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "train"] == [2, 4, 6, 8, 10]
    assert [row["step"] for row in rows if row["kind"] == "test"] == [5, 10]
    wanted = {
        "cycle_x",
        "identity_y",
        "adversarial_x",
        "discriminator_y",
        "accuracy_real_x",
        "accuracy_fake_y",
    }
    assert wanted | {"learning_rate", "gradient_norm_generators", "steps_per_second"} <= set(
        rows[0]
    )


def test_the_last_step_trains_and_the_rate_would_be_zero_only_after_it(finished):
    rates = [row["learning_rate"] for row in tiny.outcome(finished)[2] if row["kind"] == "train"]
    assert rates == pytest.approx([2e-4, 2e-4, 1e-4, 1e-4, 1e-4])


def test_tensorboard_reads_the_logs(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = EventAccumulator(str(finished / "logs" / "train"), size_guidance={"tensors": 0})
    curves.Reload()
    tags = set(curves.Tags()["tensors"])
    assert {
        "loss/cycle_x",
        "rate/learning_rate",
        "discriminator/accuracy_real_x",
        "gradients/gradient_norm_generators",
    } <= tags
    assert [event.step for event in curves.Tensors("loss/cycle_x")] == [2, 4, 6, 8, 10]
    images = EventAccumulator(str(finished / "logs" / "test"), size_guidance={"tensors": 0})
    images.Reload()
    assert {"samples_xy", "samples_yx"} <= set(images.Tags()["tensors"])


def test_the_saved_generators_are_the_checkpoints(finished):
    arrays, _, _ = tiny.outcome(finished)
    network = keras.saving.load_model(finished / "generator_yx.keras")
    for variable in network.variables:
        np.testing.assert_array_equal(variable.numpy(), arrays[f"generator_yx/{variable.path}"])


def test_stopped_and_resumed_equals_never_stopped(finished, source, tmp_path, monkeypatch, capsys):
    """Twice: at an epoch's end; then in mid-epoch, between two rows of the log, since of the newest
    checkpoint only a part is left and the one before is taken."""
    run = tmp_path / "run"
    words = tiny.words(
        source, run, "--logging.test_every_epochs=1", "--training.checkpoint_every_steps=7"
    )
    assert tiny.interrupted(monkeypatch, words, 5) == 143
    said = capsys.readouterr().out
    assert f"go on with: python -m cyclegan_tf.train --run_dir {run}" in said
    assert checkpoints.step_of(checkpoints.list_checkpoints(run / "checkpoints")[0]) == 5
    assert tiny.interrupted(monkeypatch, ["--run_dir", str(run), "--resume", "required"], 8) == 143
    assert "step_000000005.npz, step 5" in capsys.readouterr().out
    newest = checkpoints.list_checkpoints(run / "checkpoints")[0]
    newest.write_bytes(newest.read_bytes()[:1000])
    assert train.main(["--run_dir", str(run), "--resume", "required"]) == 0
    out = capsys.readouterr().out
    assert f"{newest.name} is damaged" in out
    assert "step_000000007.npz, step 7" in out
    tiny.assert_same_outcome(finished, run)


def test_a_finished_run_stays_as_it_is(finished, capsys):
    before = {
        path: path.stat().st_mtime_ns
        for path in finished.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    assert train.main(["--run_dir", str(finished)]) == 0
    assert "this run is finished (step 10)" in capsys.readouterr().out
    after = {
        path: path.stat().st_mtime_ns
        for path in finished.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    assert {path for path in before if before[path] != after[path]} <= {finished / "metrics.jsonl"}


def test_a_minutes_budget_ends_its_decay(train_only, tmp_path, monkeypatch):
    from cyclegan_tf.train import trainer as training

    clock = itertools.count(0, 0.1)  # a tenth of a second between two looks at the clock
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    words = tiny.words(train_only, tmp_path / "run", "--training.max_minutes=0.5",
        "--training.constant_epochs=500",
                       "--training.decay_epochs=500", "--logging.log_every_steps=1")  # fmt: skip
    assert train.main(words) == 0
    rates = [
        row["learning_rate"] for row in tiny.outcome(tmp_path / "run")[2] if row["kind"] == "train"
    ]
    assert 20 < len(rates) < 300
    assert rates[: len(rates) // 2 - 1] == pytest.approx([2e-4] * (len(rates) // 2 - 1))
    assert 0 < rates[-1] < 0.1 * 2e-4
    assert rates == sorted(rates, reverse=True)


@pytest.mark.usefixtures("step_by_step")
def test_an_estimate_says_how_long_it_takes_and_keeps_nothing(train_only, tmp_path, capsys):
    words = tiny.words(train_only, tmp_path / "run", "--training.max_steps=9000", "--estimate")
    assert train.main([*words, "--training.constant_epochs=9000"]) == 0
    (line,) = (each for each in capsys.readouterr().out.splitlines() if "forecast" in each)
    # 5 images of X: 4 steps are done
    assert re.match(r"forecast  about .* \(8,996 steps at [\d.e-]+ s, measured\)", line)
    assert not (tmp_path / "run").exists()


def test_more_minutes_are_for_a_run_that_has_begun(source, finished, tmp_path):
    more = "--training.more_minutes=5"
    with refused("invalid", "training.more_minutes", match="holds none; give a new one --training"):
        train.main(tiny.words(source, tmp_path / "run", more))
    with refused("invalid", "training.more_minutes"):
        train.main(["--run_dir", str(finished), more, "--estimate"])
    assert not (tmp_path / "run").exists()


def test_print_config_can_be_given_back(source, tmp_path, capsys):
    assert train.main(tiny.words(source, tmp_path / "r", "--print_config")) == 0
    text = capsys.readouterr().out
    assert yaml.safe_load(text)["data"]["crop_size_px"] == 16
    (tmp_path / "e.yaml").write_text(text)
    assert train.main(["--config", str(tmp_path / "e.yaml"), "--print_config"]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.usefixtures("step_by_step")
def test_two_plain_folders_of_other_channels(tmp_path, capsys):
    for name, mode in (("gray", "L"), ("color", "RGB")):
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.effect_noise((20, 24), 80).convert(mode).save(tmp_path / name / f"{index}.png")
    words = [*tiny.WORDS, "--data.x_dir", str(tmp_path / "gray"), "--data.y_dir",
    str(tmp_path / "color"),
             "--data.channels_x=1", "--loss.identity=0", "--data.test_fraction=0.25",
             "--training.max_steps=2",
             "--run_dir", str(tmp_path / "run")]  # fmt: skip
    assert train.main(words) == 0
    assert "domains   xy is gray to color, yx is color to gray\n" in capsys.readouterr().out
    record = RunDirectory(tmp_path / "run").data_split()
    assert {name: len(names) for name, names in record.items()} == {
        "train_x": 3,
        "train_y": 3,
        "test_x": 1,
        "test_y": 1,
    }


@pytest.mark.parametrize("mode", ["none", "scale_width", "scale_width_and_crop", "crop"])
def test_every_preprocess_mode_trains_and_quiet_says_nothing(tmp_path, mode, capsys):
    source = tiny.folder(tmp_path / "images", (5, 4, 0, 0))
    Image.effect_noise((40, 24), 80).convert("RGB").save(source / "trainA" / "wide.png")
    more = ["--training.pool_size_images=0"] if mode in ("none", "scale_width") else []
    given = f"--data.preprocess={mode}", "--training.max_steps=3", "--quiet"
    assert train.main(tiny.words(source, tmp_path / "run", *given, *more)) == 0
    assert capsys.readouterr().out == ""


class TestRefusals:
    """Each leaves nothing behind."""

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (
                ["--data.crop_size_px=18"],
                "data.crop_size_px is 18, but resnet_6blocks needs a multiple of 4: take 16 or 20",
            ),
            (["--discriminator.n_layers=4"], "needs at least 48"),
            (
                ["--generator.architecture=unet_256", "--generator.blocks=null"],
                "needs a multiple of 256: take 256",
            ),
            (
                ["--data.batch_size=9"],
                "data.batch_size is 9, but the larger domain has only 5 images",
            ),
            (["--data.source=/nowhere"], "the folder /nowhere does not exist"),
            (
                ["--data.source=tfds:cycle_gan/no_such_set"],
                "tfds:cycle_gan/no_such_set cannot be prepared",
            ),
        ],
    )
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # tensorflow-datasets' own
    def test_bad_input(self, source, tmp_path, more, message):
        with refused(["invalid", "missing", "unreadable"], match=message.replace("(", r"\(")):
            train.main(tiny.words(source, tmp_path / "run", *more))
        assert not (tmp_path / "run").exists()

    def test_another_experiment(self, finished, source):
        with refused("mismatch", "loss.cycle_x"):
            train.main(
                tiny.words(source, finished, "--loss.cycle_x=3", "--logging.test_every_epochs=1")
            )

    def test_resume_never(self, finished, source):
        with refused("exists", "--resume", match=r"--resume never, but .* holds a run already"):
            train.main(tiny.words(source, finished, "--resume=never"))

    def test_resume_required(self, source, tmp_path):
        with refused("missing", "--resume", match=r"--resume required, but .* holds no run"):
            train.main(tiny.words(source, tmp_path / "run", "--resume=required"))
        assert not (tmp_path / "run").exists()

    def test_resume_required_without_a_checkpoint(self, finished, tmp_path):
        run = tmp_path / "run"
        shutil.copytree(finished, run)
        shutil.rmtree(run / "checkpoints")
        with refused("missing", "--resume", match="has no checkpoint"):
            train.main(["--run_dir", str(run), "--resume=required"])

    @pytest.mark.parametrize("cache", ["memory", "off"])
    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda path: path.write_bytes(path.read_bytes()[:200]), r"1\.jpg"),
            (lambda path: path.write_bytes(b""), r"1\.jpg"),
            (lambda path: path.write_text("a text"), r"1\.jpg"),
            (
                lambda path: Image.new("1", (3000, 2000)).save(path.with_suffix(".png")),
                r"1\.png.*3000",
            ),
            (
                lambda path: shutil.rmtree(path.parent) or path.parent.mkdir(),
                "trainB holds no images",
            ),
        ],
        ids=["truncated", "zero bytes", "a text named .jpg", "giant dimensions", "empty domain"],
    )
    def test_images_that_cannot_be_used(self, tmp_path, spoil, message, cache):
        source = tiny.folder(tmp_path / "images")
        bad = source / "trainB" / "1.jpg"
        Image.effect_noise((40, 40), 90).convert("RGB").save(bad)
        spoil(bad)
        with refused(["missing", "unreadable"], match=message) as caught:
            train.main(
                tiny.words(
                    source, tmp_path / "run", f"--data.cache={cache}", "--data.max_pixels=1000000"
                )
            )
        assert "\n" not in str(caught.value)
        # Decoded on the way, an image may turn out bad only after the run began.
        assert not (tmp_path / "run").exists() or cache == "off"


@pytest.mark.usefixtures("step_by_step")
def test_a_loss_that_is_not_finite_stops_at_that_step(train_only, tmp_path):
    run = tmp_path / "run"
    with refused(
        "stopped",
        "adversarial_x",
        match=r"At step \d+ the loss \w+ is not finite.*last good checkpoint is",
        kind=TrainingStoppedError,
    ):
        train.main(
            tiny.words(
                train_only,
                run,
                "--optimizer.learning_rate=1e30",
                "--training.checkpoint_every_steps=1",
            )
        )
    (image,) = run.glob("not_finite_step_*.png")
    assert image_io.read(image).shape[1] > 32
    assert "is not finite" in image.with_suffix(".txt").read_text()


@pytest.mark.usefixtures("step_by_step")
def test_a_full_disk_keeps_the_checkpoint_before(train_only, tmp_path, monkeypatch):
    plain, folder = os.fsync, tmp_path / "run" / "checkpoints"

    def fsync(handle):
        if (folder / "step_000000002.npz").exists() and list(folder.glob(".partial-*")):
            raise OSError(28, "No space left on device")
        return plain(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with refused("unwritable", match="No space left on device"):
        train.main(tiny.words(train_only, tmp_path / "run", "--training.checkpoint_every_steps=2"))
    (kept,) = folder.iterdir()
    assert checkpoints.read(kept)[1]["step"] == 2


@pytest.mark.parametrize("recompute", [False, True])
def test_a_step_too_large_for_the_device_says_what_to_change(
    train_only, tmp_path, monkeypatch, recompute
):
    def step(*_):
        raise tf.errors.ResourceExhaustedError(
            None, None, "OOM when allocating tensor with shape[1,64,...]"
        )

    monkeypatch.setattr(CycleGAN, "train_step", step)
    words = tiny.words(
        train_only, tmp_path / "run", f"--training.gradient_checkpointing={str(recompute).lower()}"
    )
    with refused(
        "memory", "--data.batch_size", match=r"Step 1 needs more memory.*--data.batch_size"
    ) as caught:
        train.main(words)
    assert ("--training.gradient_checkpointing true" in str(caught.value)) is not recompute


@pytest.fixture(scope="module")
def origin(train_only, tmp_path_factory):
    """Three filters, affine: not what tiny.WORDS or the defaults ask for."""
    run = tmp_path_factory.mktemp("runs") / "origin"
    more = ["--generator.filters=3", "--generator.norm_affine=true", "--discriminator.filters=3",
            "--training.max_steps=3", "--training.seed=5"]  # fmt: skip
    with quicker.step_by_step():
        assert train.main(tiny.words(train_only, run, *more)) == 0
    return run


class TestInitFrom:
    """Weights of another run, everything else anew."""

    NETWORKS = ("--generator.", "--discriminator.")

    @classmethod
    def words(cls, source, run, *more):
        """As tiny.words, but nothing is said of networks."""
        return [
            word for word in tiny.words(source, run, *more) if not word.startswith(cls.NETWORKS)
        ]

    def test_takes_weights_and_architecture_and_nothing_else(
        self, origin, train_only, tmp_path, monkeypatch, capsys
    ):
        run = tmp_path / "run"
        words = self.words(
            train_only,
            run,
            f"--init_from={origin}",
            "--init_checkpoint=last",
            "--training.ema_half_life_images=10",
        )
        trainer = tiny.started(monkeypatch, [*words, "--optimizer.learning_rate=1e-5"])
        arrays, _, _ = tiny.outcome(origin)
        now = state.snapshot(state.variables(trainer.model))
        networks = {name for name in now if name.split("/")[0] in state.NETWORKS}
        assert any(name.startswith("discriminator_y") for name in networks)
        for name in networks:
            np.testing.assert_array_equal(now[name], arrays[name])
        moments = [
            array for name, array in now.items() if "_momentum" in name or "_velocity" in name
        ]
        assert len(moments) > 20
        assert not any(array.any() for array in moments)
        assert trainer.step == 0
        averages = trainer._averages.variables()
        np.testing.assert_array_equal(
            averages["average/generator_xy/last/kernel"].numpy(), arrays["generator_xy/last/kernel"]
        )
        e = RunDirectory(run).experiment()
        assert (e.generator.filters, e.generator.norm_affine, e.discriminator.filters) == (
            3,
            True,
            3,
        )
        assert (e.optimizer.learning_rate, e.training.seed, e.training.max_steps) == (1e-5, 0, None)
        out = capsys.readouterr().out
        assert "init      generators of " in out
        assert "step_000000003.npz (step 3, raw weights, newest)" in out
        assert RunDirectory(run).init_record()["generators"] == {
            "file": "checkpoints/step_000000003.npz", "step": 3, "weights": "raw",
        }  # fmt: skip

    def test_dropout_the_penalty_and_a_frozen_encoder_resume_exactly(
        self, origin, train_only, tmp_path, capsys
    ):
        more = [f"--init_from={origin}", "--generator.dropout=true", "--loss.gan_mode=wgangp",
                "--data.batch_size=2", "--training.freeze=encoder", "--training.max_steps=4",
                "--optimizer.learning_rate=1e-3", "--logging.score_every_epochs=0"]  # fmt: skip
        more += ["--training.checkpoint_every_steps=2"]
        assert train.main(self.words(train_only, tmp_path / "whole", *more)) == 0
        tiny.rewound(tmp_path / "whole", tmp_path / "cut", 2)
        capsys.readouterr()
        assert train.main(["--run_dir", str(tmp_path / "cut")]) == 0
        assert "init " not in capsys.readouterr().out
        tiny.assert_same_outcome(tmp_path / "whole", tmp_path / "cut")
        (arrays, _, _), (first, _, _) = tiny.outcome(tmp_path / "cut"), tiny.outcome(origin)
        for layer in ("first", "down1", "down2"):
            name = f"generator_xy/{layer}/kernel"
            np.testing.assert_array_equal(arrays[name], first[name])
        name = "generator_xy/last/kernel"
        assert not np.array_equal(arrays[name], first[name])

    def test_may_be_given_again_but_no_other(
        self, origin, finished, train_only, tmp_path, monkeypatch, capsys
    ):
        words = self.words(
            train_only, tmp_path / "run", f"--init_from={origin}", "--training.max_steps=3"
        )
        begun = state.snapshot(state.variables(tiny.started(monkeypatch, words).model))
        folder = tmp_path / "run" / "checkpoints"
        checkpoints.write(folder, 1, begun, {"step": 1, "seconds": 1.0}, None)
        capsys.readouterr()
        tiny.started(monkeypatch, words)
        assert (
            "init      the weights of --init_from were taken when this run began"
            in capsys.readouterr().out
        )
        for other, message in (
            (
                [f"--init_from={finished}"],
                f"began with the weights of {origin}: leave --init_from out",
            ),
            (
                [f"--init_from={origin}", "--init_checkpoint=last"],
                "began with --init_checkpoint best",
            ),
        ):
            with refused("mismatch", "--init_from", match=message):
                train.main(["--run_dir", str(tmp_path / "run"), *other])
        with refused("mismatch", "--init_from"):
            train.main(["--run_dir", str(finished), f"--init_from={origin}"])

    def test_stopped_before_the_first_checkpoint_it_starts_there_again(
        self, origin, train_only, tmp_path, monkeypatch
    ):
        run = tmp_path / "run"
        tiny.started(
            monkeypatch, self.words(train_only, run, f"--init_from={origin}", "--init_checkpoint=3")
        )
        assert checkpoints.list_checkpoints(run / "checkpoints") == []
        trainer = tiny.started(monkeypatch, ["--run_dir", str(run)])
        arrays, _, _ = tiny.outcome(origin)
        np.testing.assert_array_equal(
            trainer.model.generator_yx.get_layer("first").kernel,
            arrays["generator_yx/first/kernel"],
        )

    def test_what_does_not_fit_is_named_and_leaves_nothing(self, origin, source, tmp_path):
        run = tmp_path / "run"
        with refused("mismatch", "--init_from"):
            train.main(tiny.words(source, run, f"--init_from={origin}"))
        assert not run.exists()

    def test_files_of_pytorch_are_to_be_converted_first(self, source, tmp_path):
        (tmp_path / "latest_net_G_A.pth").touch()
        with refused(
            "unsupported",
            "--init_from",
            match=r"make a run directory of it first: python -m cyclegan_tf\.convert",
        ):
            train.main(
                [
                    "--data.source",
                    str(source),
                    "--init_from",
                    str(tmp_path),
                    "--run_dir",
                    str(tmp_path / "run"),
                ]
            )

    def test_networks_come_before_the_config_file_and_after_the_options(
        self, origin, train_only, tmp_path, monkeypatch, capsys
    ):
        file = tmp_path / "e.yaml"
        values = {
            "data": {"source": str(train_only)},
            "generator": {"filters": 7, "blocks": 4},
            "optimizer": {"beta_1": 0.4},
        }
        file.write_text(yaml.safe_dump(values))
        words = [
            "--config",
            str(file),
            "--init_from",
            str(origin),
            "--run_dir",
            str(tmp_path / "run"),
        ]
        e = plan_training([*words, "--discriminator.filters=4"]).experiment
        assert (e.generator.filters, e.generator.blocks, e.discriminator.filters) == (3, 1, 4)
        assert (e.optimizer.beta_1, e.data.source) == (0.4, str(train_only))
        sizes = ["--data.load_size_px=18", "--data.crop_size_px=16"]
        tiny.started(monkeypatch, [*words, *sizes])
        assert (
            "note      of --config, generator.blocks, generator.filters give way to the networks "
            "of --init_from\n"
        ) in capsys.readouterr().out

    def test_a_color_skip_comes_with_the_weights_and_is_not_fitted_again(
        self, train_only, tmp_path, monkeypatch, capsys
    ):
        words = tiny.words(train_only, tmp_path / "origin", "--generator.color_skip=auto")
        arrays = state.snapshot(state.variables(tiny.started(monkeypatch, words).model))
        # a start that no data would give
        for name in arrays:
            if name.endswith(("kernel_start", "pace")):
                arrays[name] = np.full_like(arrays[name], 0.25)
        folder = tmp_path / "origin" / "checkpoints"
        checkpoints.write(folder, 2, arrays, {"step": 2, "seconds": 1.0}, None)
        capsys.readouterr()
        words = self.words(
            train_only,
            tmp_path / "run",
            f"--init_from={tmp_path / 'origin'}",
            "--init_checkpoint=2",
        )
        trainer = tiny.started(monkeypatch, words)
        skip = trainer.model.generator_xy.get_layer("colour_skip")
        assert {float(v) for v in np.unique(skip.kernel_start)} == {0.25}
        assert "colors " not in capsys.readouterr().out
        assert trainer.model.loss_weights["identity_x"] == 0

    def test_a_frozen_random_encoder_is_remarked_on(
        self, train_only, tmp_path, monkeypatch, capsys
    ):
        tiny.started(
            monkeypatch, tiny.words(train_only, tmp_path / "run", "--training.freeze=encoder")
        )
        assert (
            "the encoder stays at random weights; --init_from gives it trained ones"
            in capsys.readouterr().out
        )
