"""From config to things that run."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from cyclegan_tf import assembly, checkpoints, state, train
from cyclegan_tf.errors import UserError
from cyclegan_tf.optimizers import FusedAdam
from cyclegan_tf.runs import RunDirectory


def experiment(*words):
    return train.resolve([*tiny.WORDS, "--data.source", "x", *words])[1]


def test_the_papers_model_has_the_papers_sizes_and_optimizers():
    e = train.resolve(["--data.source", "x"])[1]
    assert assembly.build_generator(e, "xy").count_params() == 11_378_179
    assert assembly.build_discriminator(e, "x").count_params() == 2_764_737
    adam = assembly._adam(e, "float32").get_config()
    assert [adam[k] for k in ("learning_rate", "beta_1", "beta_2", "epsilon")] == pytest.approx(
        [2e-4, 0.5, 0.999, 1e-8]
    )


def test_the_seed_decides_the_weights_and_the_four_networks_differ():
    a, b, c = (assembly.build_model(experiment(f"--training.seed={seed}")) for seed in (1, 1, 2))
    for name in ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y"):
        first, second, third = (getattr(model, name).get_weights()[0] for model in (a, b, c))
        np.testing.assert_array_equal(first, second)
        assert (first != third).any()
    assert (a.generator_xy.get_weights()[0] != a.generator_yx.get_weights()[0]).any()


def test_weights_of_the_terms_come_from_the_config():
    e = experiment("--loss.cycle_x=4", "--loss.cycle_y=6", "--loss.identity=0.25", "--loss.adversarial_y=2")
    assert assembly.build_model(e).weights_of == {
        "adversarial_x": 1, "adversarial_y": 2, "cycle_x": 4, "cycle_y": 6, "identity_x": 1, "identity_y": 1.5
    }  # fmt: skip


def test_a_judge_of_weight_zero_is_not_made():
    model = assembly.build_model(experiment("--loss.adversarial_x=0"))
    assert model.discriminator_x is None
    assert model.judged_domains == ["y"]


def test_each_game_has_a_fused_adam_of_its_own():
    model = assembly.build_model(experiment())
    optimizers = [model.generator_optimizer, model.discriminator_optimizer]
    assert [type(optimizer) for optimizer in optimizers] == [FusedAdam, FusedAdam]
    assert optimizers[0] is not optimizers[1]
    scaled = assembly._adam(experiment(), "mixed_float16")
    assert type(scaled.inner_optimizer) is FusedAdam


@pytest.mark.parametrize("recompute", [False, True])
def test_recompute_comes_from_the_config_and_is_off_unless_asked_for(recompute):
    words = [f"--training.recompute={str(recompute).lower()}"] if recompute else []
    assert assembly.build_model(experiment(*words)).recompute is recompute


def test_the_norms_come_from_the_config():
    e = experiment("--generator.norm=batch", "--discriminator.norm=batch")
    model = assembly.build_model(e)
    for network, layer in ((model.generator_yx, "first_norm"), (model.discriminator_y, "conv2_norm")):
        assert isinstance(network.get_layer(layer), keras.layers.BatchNormalization)
    assert not isinstance(
        assembly.build_discriminator(experiment("--generator.norm=batch"), "x").get_layer("conv2_norm"),
        keras.layers.BatchNormalization,
    )


class TestFrozenEncoder:
    ENCODER = ("first", "down1", "down2")

    @staticmethod
    def trained(e, policy="float32", steps=3):
        """Values of all variables before and after some steps."""
        model = assembly.build_model(e, policy)
        before = state.snapshot(state.variables(model))
        # tracing takes longer than three steps, but recomputing is a matter of graphs
        step = tf.function(model.train_step, autograph=False) if model.recompute else model.train_step
        rng = np.random.default_rng(0)
        for _ in range(steps):
            step(tuple(rng.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32) for _ in "xy"))
        return model, before, state.snapshot(state.variables(model))

    @pytest.mark.parametrize(
        ("words", "policy"),
        [
            (["--generator.norm_affine=true"], "float32"),
            (["--generator.norm_affine=true"], "mixed_bfloat16"),
            (["--generator.norm_affine=true", "--training.recompute=true"], "float32"),
            (["--generator.norm=batch"], "float32"),
        ],
        ids=["affine", "bfloat16", "recompute", "batch norm"],
    )
    def test_stays_bit_for_bit_and_all_else_moves(self, words, policy):
        _, before, after = self.trained(experiment("--training.freeze=encoder", *words), policy)
        networks = [name for name in before if name.split("/")[0] in state.NETWORKS]
        stayed = {name for name in networks if np.array_equal(before[name], after[name])}
        encoder = {
            name for name in networks
            if name.startswith("generator") and name.split("/")[1].removesuffix("_norm") in self.ENCODER
        }  # fmt: skip
        assert len(encoder) >= 2 * 3 * 3
        assert stayed == encoder

    def test_has_no_moments(self):
        e = experiment("--training.freeze=encoder")
        model = assembly.build_model(e)
        frozen = [v.path for v in model.generator_variables if v.path.split("/")[0] in self.ENCODER]
        assert frozen == []
        # iterations and rate, and two moments for each kernel and bias of two blocks' convolutions, up1, up2 and last
        assert len(model.generator_optimizer.variables) == 2 + 2 * 2 * (2 * 5)

    def test_trains_unless_asked_to_stay(self):
        _, before, after = self.trained(experiment("--generator.norm_affine=true"), steps=1)
        assert not np.array_equal(before["generator_xy/first/kernel"], after["generator_xy/first/kernel"])

    def test_what_is_not_frozen_moves_as_without(self):
        """The first step's gradients of the decoder do not know whether the encoder moves."""
        _, _, free = self.trained(experiment(), steps=1)
        _, _, held = self.trained(experiment("--training.freeze=encoder"), steps=1)
        for name in ("generator_xy/last/kernel", "generator_yx/block1_conv2/kernel", "discriminator_x/conv1/kernel"):
            np.testing.assert_allclose(held[name], free[name], atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_keeps_weights_pools_and_losses_in_float32(precision):
    e = experiment(f"--training.precision={precision}")
    policy, _, told = assembly.precision_and_jit(e)
    assert told["precision"] == f"mixed_{precision} (asked for)"
    model = assembly.build_model(e, policy)
    assert {str(v.dtype) for v in model.trainable_variables} == {"float32"}
    assert str(model.pool_x.images.dtype) == "float32"
    assert isinstance(model.generator_optimizer, keras.optimizers.LossScaleOptimizer) == (precision == "float16")
    x = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    logs = model.train_step((x, -x))
    assert {value.dtype.name for value in logs.values()} == {"float32"}
    assert np.isfinite([float(value) for name, value in logs.items() if not name.startswith("gradient")]).all()
    assert model.generator_xy(x).dtype == "float32"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Checkpoints of weights that tell their step: the k-th network is full of the step's number."""
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "run")
    e = experiment()
    run.begin(e, {})
    model = assembly.build_model(e)
    for step in (10, 20):
        arrays = {n: np.full_like(a, step) for n, a in state.snapshot(state.variables(model)).items()}
        checkpoints.write(run.checkpoints, step, arrays, {"step": step}, 3)
    best = {n: np.full_like(a, 15) for n, a in state.snapshot(state.generator_variables(model)).items()}
    told = {"step": 15, "score": 2.0, "higher_is_better": True, "best_by": "psnr", "weights": "averaged"}
    checkpoints.write_best(run.checkpoints, 15, best, told)
    return run


class TestLoadGenerator:
    @pytest.mark.parametrize(
        ("checkpoint", "step", "told"),
        [
            ("best", 15, "best/step_000000015.npz (step 15, averaged weights, best psnr: 2)"),
            ("last", 20, "step_000000020.npz (step 20, raw weights, newest)"),
            ("10", 10, "step_000000010.npz (step 10, raw weights, as asked)"),
            ("15", 15, "best/step_000000015.npz (step 15, averaged weights, best psnr: 2)"),
        ],
    )
    def test_of_a_run(self, run, checkpoint, step, told):
        network, origin = assembly.load_generator(run.path, "yx", checkpoint=checkpoint)
        assert {float(weights.max()) for weights in network.get_weights()} == {step}
        assert origin == f"{run.checkpoints}/{told}"

    def test_the_best_is_the_default(self, run):
        assert assembly.load_generator(run.path, "xy")[1] == assembly.load_generator(run.path, "xy", None, "best")[1]

    def test_a_run_without_scores_gives_its_newest_and_says_so(self, run, tmp_path):
        shutil.copytree(run.path, tmp_path / "run")
        shutil.rmtree(tmp_path / "run" / "checkpoints" / "best")
        network, origin = assembly.load_generator(tmp_path / "run", "xy")
        assert {float(weights.max()) for weights in network.get_weights()} == {20}
        assert origin.endswith("(step 20, raw weights, newest; no scores have chosen a best one)")

    def test_what_is_not_there(self, run, tmp_path):
        with pytest.raises(UserError, match=r"--checkpoint is '11'; take best, last, .*: 10, 15, 20\."):
            assembly.load_generator(run.path, "xy", checkpoint="11")
        with pytest.raises(UserError, match="not a run directory"):
            assembly.load_generator(tmp_path, "xy")
        RunDirectory(tmp_path / "new").begin(experiment(), {})
        for checkpoint in ("best", "last"):
            with pytest.raises(UserError, match="has no checkpoint yet; train it first"):
                assembly.load_generator(tmp_path / "new", "xy", checkpoint=checkpoint)


class TestColourSkip:
    """Y is X with red and blue exchanged and lighter: colours alike; or nearly gray: of another kind."""

    @staticmethod
    def folder(root, change):
        rng = np.random.default_rng(5)
        for name, changed in (("trainA", False), ("trainB", True)):
            (root / name).mkdir(parents=True)
            for index in range(6):
                small = rng.uniform(40, 200, (4, 4, 3))
                picture = np.repeat(np.repeat(change(small) if changed else small, 6, axis=0), 6, axis=1)
                Image.fromarray(picture.round().astype(np.uint8)).save(root / name / f"{index}.png")
        return root

    def trained(self, root, change, capsys):
        source = self.folder(root / "pictures", change)
        words = tiny.words(source, root / "run", "--generator.colour_skip=true", "--training.max_steps=2")
        words.append("--training.checkpoint_every_steps=1")
        assert train.main(words) == 0
        network, _ = assembly.load_generator(root / "run", "xy")
        return network.get_layer("colour_skip"), capsys.readouterr().out

    def test_domains_alike_start_from_their_transfer(self, tmp_path, capsys):
        skip, told = self.trained(tmp_path, lambda p: 0.8 * p[..., ::-1] + 40, capsys)
        assert "colours   alike (up to 1." in told
        assert "identity_x" not in terms_of(tmp_path / "run")
        white, black = (float(np.mean(skip(np.full((1, 1, 1, 3), level, np.float32)))) for level in (0.6, -0.6))
        assert white > 0.5
        assert black < 0

    def test_domains_of_different_kinds_have_none(self, tmp_path, capsys):
        skip, told = self.trained(tmp_path, lambda p: 0.03 * p + 128, capsys)
        assert "colours   of different kinds" in told
        assert "identity_x" in terms_of(tmp_path / "run")
        assert not np.any(skip(np.random.default_rng(1).uniform(-1, 1, (1, 3, 3, 3))))

    def test_identity_weights_given_one_by_one_are_kept(self, tmp_path):
        source = self.folder(tmp_path / "pictures", lambda p: 0.8 * p + 40)
        words = ["--generator.colour_skip=true", "--training.max_steps=2", "--loss.identity_x=5"]
        assert train.main(tiny.words(source, tmp_path / "run", *words)) == 0
        assert "identity_x" in terms_of(tmp_path / "run")

    def test_a_resumed_training_keeps_its_start(self, tmp_path, capsys):
        self.trained(tmp_path, lambda p: 0.8 * p + 40, capsys)
        arrays, step, _ = tiny.outcome(tmp_path / "run")
        checkpoints.listed(RunDirectory(tmp_path / "run").checkpoints)[0].unlink()
        name = next(name for name in arrays if name.startswith("generator_xy") and name.endswith("kernel_start"))
        assert train.main(["--run_dir", str(tmp_path / "run")]) == 0
        assert "colours" not in capsys.readouterr().out
        again, step_again, _ = tiny.outcome(tmp_path / "run")
        assert step == step_again == 2
        np.testing.assert_array_equal(again[name], arrays[name])
        assert np.abs(arrays[name]).max() > 0.3
        assert "identity_x" not in terms_of(tmp_path / "run")


def terms_of(run):
    """Names in the last row of a training."""
    _, _, rows = tiny.outcome(run)
    return [row for row in rows if row["kind"] == "train"][-1]
