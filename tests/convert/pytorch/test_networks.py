"""Keras networks out of PyTorch's weights: the same outputs; and back: the same state_dicts."""

import copy

import keras
import numpy as np
import pytest

from cyclegan_tf.convert.pytorch import files, networks
from cyclegan_tf.convert.pytorch.layout import keras_weights
from cyclegan_tf.convert.pytorch.recognize import recognize
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.builders import build_discriminator, build_generator, with_dtype_policy

torch = pytest.importorskip("torch", reason='needs pip install ".[torch]"')
from tests.helpers import official_torch as official  # noqa: E402 -- after the skip

# build, its mode for the truth, size of an image
CASES = {
    "resnet": (lambda: official.Resnet(blocks=3), "train", (20, 28)),
    "resnet_channels": (lambda: official.Resnet(1, 4, blocks=2), "train", (16, 24)),
    "resnet_dropout": (lambda: official.Resnet(dropout=True), "eval", (24, 16)),
    "resnet_affine": (lambda: official.Resnet(affine=True), "train", (20, 28)),
    "resnet_affine_dropout": (lambda: official.Resnet(affine=True, dropout=True), "eval", (20, 28)),
    # in training mode, as the official test.py leaves it, PyTorch keeps the statistics but does not
    # use them
    "resnet_leftovers": (lambda: official.Resnet(statistics=True), "train", (20, 28)),
    "resnet_affine_leftovers": (
        lambda: official.Resnet(affine=True, statistics=True),
        "train",
        (20, 28),
    ),
    "resnet_batch": (lambda: official.Resnet(norm="batch", blocks=3), "eval", (20, 28)),
    "resnet_batch_dropout": (lambda: official.Resnet(norm="batch", dropout=True), "eval", (20, 28)),
    "cut": (lambda: official.Resnet(antialiased=True), "train", (20, 28)),
    "cut_channels": (lambda: official.Resnet(1, 2, blocks=4, antialiased=True), "train", (16, 24)),
    "cut_dropout": (lambda: official.Resnet(dropout=True, antialiased=True), "eval", (24, 16)),
    "cut_batch": (lambda: official.Resnet(norm="batch", antialiased=True), "eval", (20, 28)),
    "unet_128": (lambda: official.Unet(7), "train", (128, 256)),
    "unet_128_affine": (lambda: official.Unet(7, 1, 2, affine=True), "train", (256, 128)),
    "unet_128_batch": (lambda: official.Unet(7, norm="batch", dropout=True), "eval", (128, 256)),
    "unet_256": (lambda: official.Unet(8, dropout=True), "eval", (256, 512)),
    "unet_256_batch": (lambda: official.Unet(8, norm="batch"), "eval", (512, 256)),
    "basic": (lambda: official.Patch(), "train", (40, 33)),
    "basic_affine_leftovers": (
        lambda: official.Patch(affine=True, statistics=True),
        "train",
        (40, 33),
    ),
    "basic_batch": (lambda: official.Patch(norm="batch"), "eval", (40, 33)),
    "one_layer": (lambda: official.Patch(n_layers=1), "train", (21, 18)),
    "two_layers": (lambda: official.Patch(1, n_layers=2), "train", (21, 30)),
    "four_layers": (lambda: official.Patch(n_layers=4), "train", (64, 80)),
    "pixel": (lambda: official.Pixel(), "train", (9, 14)),
    "pixel_batch": (lambda: official.Pixel(norm="batch"), "eval", (9, 14)),
}


@pytest.fixture(params=CASES, name="case", scope="module")
def _case(request):
    """A network of PyTorch, ours made of it, images, and what PyTorch makes of them."""
    build, mode, size = CASES[request.param]
    network = official.randomized(build(), seed=3)
    network = network.train() if mode == "train" else network.eval()
    given = images(network, size)
    # training mode moves running statistics, which must not reach the original
    truth = official.outputs_of(copy.deepcopy(network), given)
    return network, converted(network), given, truth


def images(network, size, count=2):
    channels = next(iter(network.parameters())).shape[1]
    return np.random.default_rng(5).uniform(-1, 1, (count, *size, channels)).astype(np.float32)


def converted(network):
    arrays = official.arrays_of(network)
    return networks.build_from_state_dict(recognize(arrays, "n.pth"), arrays)


def test_outputs_are_those_of_pytorch(case):
    _, ours, given, truth = case
    found = np.asarray(ours(given, training=False))
    assert found.dtype == np.float32
    # far from constant, and not all where tanh is flat
    assert truth.std() > 0.05
    assert np.mean(np.abs(truth) > 0.999) < 0.3 or not np.abs(truth).max() <= 1
    np.testing.assert_allclose(found, truth, atol=1e-4 * max(1.0, float(np.abs(truth).max())))


def test_and_back_pytorch_has_the_same_names_order_and_outputs(case, tmp_path):
    network, ours, given, truth = case
    spec, arrays = networks.to_state_dict(ours, "ours")
    files.write_state_dict(tmp_path / "n.pth", arrays)
    loaded = torch.load(tmp_path / "n.pth", weights_only=True)
    again = type(network)(**today(network, spec))
    assert list(loaded) == list(again.state_dict())
    assert [v.shape for v in loaded.values()] == [v.shape for v in again.state_dict().values()]
    assert [v.dtype for v in loaded.values()] == [v.dtype for v in again.state_dict().values()]
    assert again.load_state_dict(loaded, strict=True) is not None
    again.train(network.training)
    np.testing.assert_allclose(official.outputs_of(again, given), truth, atol=1e-6)


def today(network, spec):
    """Arguments of a new network like this one, as today's PyTorch makes it: without leftovers."""
    found = {"inputs": spec.input_channels, "filters": spec.filters, "norm": spec.norm}
    if spec.is_generator:
        found["outputs"] = spec.output_channels
    if isinstance(network, official.Resnet):
        found |= {"blocks": spec.blocks, "dropout": spec.dropout}
        found["antialiased"] = spec.antialiased
    if isinstance(network, official.Unet):
        found["depth"] = {"unet_256": 8, "unet_128": 7}[spec.architecture]
    if isinstance(network, official.Patch):
        found["n_layers"] = spec.n_layers
    if spec.norm == "instance":
        found["affine"] = spec.norm_affine
    return found


def test_generators_of_cut_are_within_a_hundred_thousandth():
    network = official.randomized(official.Resnet(filters=8, blocks=4, antialiased=True), seed=1)
    ours, given = converted(network), images(network, (64, 48))
    assert any(name.endswith(".filt") for name in network.state_dict())
    truth = official.outputs_of(network, given)
    assert truth.std() > 0.05
    np.testing.assert_allclose(np.asarray(ours(given)), truth, atol=1e-5)


def test_generators_of_cut_differ_by_rounding_only():
    """In float64 nothing is left of what 9 blocks of random weights make of float32's rounding."""
    network = official.randomized(official.Resnet(filters=8, blocks=9, antialiased=True), seed=1)
    ours, given = with_dtype_policy(converted(network), "float64"), images(network, (20, 28))
    with torch.no_grad():
        pixels = torch.from_numpy(given.transpose(0, 3, 1, 2).copy()).double()
        truth = network.double()(pixels).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(np.asarray(ours(given)), truth, atol=1e-6)


def test_running_statistics_of_instance_normalization_would_make_a_difference():
    """After eval(), such a PyTorch network gives other images: the cases above mean something."""
    network = official.randomized(official.Resnet(statistics=True), seed=3)
    given = images(network, (20, 28))
    used = official.outputs_of(network.eval(), given)
    assert np.abs(used - np.asarray(converted(network)(given))).max() > 0.05


def test_biasless_convolutions_give_what_pytorch_gives():
    """Instance normalization after convolutions without biases, as for a while in 2017."""
    network = official.randomized(official.Resnet(statistics=True), seed=3)
    with torch.no_grad():
        kept = {id(list(network.model)[-2])}
        for module in network.modules():
            if (
                isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
                and id(module) not in kept
            ):
                module.bias = None
    given, arrays = images(network, (20, 28)), official.arrays_of(network)
    ours = networks.build_from_state_dict(recognize(arrays, "n.pth"), arrays)
    truth = official.outputs_of(network.train(), given)
    np.testing.assert_allclose(np.asarray(ours(given)), truth, atol=1e-4)
    spec, again = networks.to_state_dict(ours, "ours")
    assert spec.biases
    assert not again["model.1.bias"].any()


def test_every_weight_matters():
    """Each array but those that a norm cancels changes the image: none is read and dropped."""
    network = official.randomized(official.Resnet(norm="batch", blocks=1), seed=3).eval()
    given, arrays = images(network, (16, 20), 1), official.arrays_of(network)
    spec = recognize(arrays, "n.pth")
    ours = networks.build_from_state_dict(spec, arrays)
    before = np.asarray(ours(given))
    for name in arrays:
        if not name.endswith("num_batches_tracked"):
            networks.assign_weights(
                ours, keras_weights(spec, {**arrays, name: arrays[name] + 0.5}), "n.pth"
            )
            assert np.abs(np.asarray(ours(given)) - before).max() > 1e-4, name


def test_converted_networks_are_saved_and_loaded(tmp_path):
    network = official.randomized(official.Resnet(norm="batch", dropout=True), seed=3).eval()
    ours, given = converted(network), images(network, (16, 20))
    ours.save(tmp_path / "n.keras")
    loaded = keras.saving.load_model(tmp_path / "n.keras")
    np.testing.assert_array_equal(np.asarray(loaded(given)), np.asarray(ours(given)))
    assert networks.to_state_dict(loaded, "n")[0] == networks.to_state_dict(ours, "n")[0]


def test_nothing_is_assigned_unless_all_fits():
    network = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)
    before = [weight.copy() for weight in network.get_weights()]
    weights = {
        name: np.ones(v.shape, np.float32) for name, v in networks.variables(network).items()
    }
    wrong = {
        r"does not fit resnet_6blocks: last/bias \(3,\) is missing\.": {
            name: array for name, array in weights.items() if name != "last/bias"
        },
        r"last/bias is \(4,\) instead of \(3,\)": {**weights, "last/bias": np.ones(4)},
        r"more/kernel \(1,\) is unknown": {**weights, "more/kernel": np.ones(1)},
    }
    for message, given in wrong.items():
        with pytest.raises(UserError, match=message):
            networks.assign_weights(network, given, "n.pth")
        for now, then in zip(network.get_weights(), before, strict=True):
            np.testing.assert_array_equal(now, then)
    networks.assign_weights(network, weights, "n.pth")
    assert all(weight.all() for weight in network.get_weights())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: build_generator("fast_style", filters=2),
            r"cannot become one: .*first/kernel is \(9, 9, 3, 2\)",
        ),
        (
            lambda: build_generator("resnet_6blocks", filters=2, blocks=1, upsampling="resize"),
            "has resizing in place",
        ),
        (
            lambda: build_generator("unet_128", filters=1, upsampling="resize"),
            "has resizing in place",
        ),
        (
            lambda: build_generator("resnet_6blocks", filters=2, blocks=1, color_skip=True),
            "has a color skip",
        ),
        (
            lambda: build_generator("resnet_6blocks", filters=2, blocks=1, long_skips=True),
            "has long skips",
        ),
        (
            lambda: brightened(build_generator("resnet_6blocks", filters=2, blocks=1)),
            "in the layers brighter, so it",
        ),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1)]),
            "is of no architecture that the official PyTorch code knows",
        ),
    ],
)
def test_networks_that_the_official_code_lacks_are_refused(build, message):
    with pytest.raises(UserError, match=f"^run .*{message}"):
        networks.to_state_dict(build(), "run")


def brightened(network):
    """With a layer more, that has no weights."""
    return keras.Model(network.input, keras.layers.Rescaling(1.1, name="brighter")(network.output))


def test_discriminators_of_ours_become_official():
    for options in (
        {"n_layers": 2},
        {"norm": "batch"},
        {"architecture": "pixel"},
        {"norm_affine": True},
    ):
        discriminator = build_discriminator(filters=2, seed=0, **options)
        spec, arrays = networks.to_state_dict(discriminator, "discriminator")
        assert recognize(arrays, "n.pth") == spec
        assert (
            networks.build_from_state_dict(spec, arrays).count_params()
            == discriminator.count_params()
        )
