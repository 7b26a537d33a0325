"""Files in the layouts of Keras 2, written without Keras, and their networks in NumPy."""

import json
import zipfile

import h5py
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

SIDE = 7


# What layers compute, in float64
# -----------------------------------------------------------------------------


def mirror(x, height, width=None):
    width = height if width is None else width
    return np.pad(x, ((0, 0), (height, height), (width, width), (0, 0)), mode="reflect")


def conv(x, kernel, bias=0.0, stride=1, padding="valid"):
    """TensorFlow's convolution: "same" puts the odd zero behind."""
    side = kernel.shape[0]
    if padding == "same":
        pads = []
        for size in x.shape[1:3]:
            total = max((-(-size // stride) - 1) * stride + side - size, 0)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, ((0, 0), *pads, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[
        :, ::stride, ::stride
    ]
    return np.einsum("nhwcij,ijco->nhwo", windows, kernel.astype(np.float64)) + bias


def up(x, kernel, bias=0.0):
    """Transposed convolution of stride 2 with "same".

    Twice the size; what is over is cut, the odd one behind.
    """
    side, (n, height, width, _) = kernel.shape[0], x.shape
    full = np.zeros((n, 2 * height - 2 + side, 2 * width - 2 + side, kernel.shape[2]))
    for i in range(height):
        for j in range(width):
            full[:, 2 * i : 2 * i + side, 2 * j : 2 * j + side] += np.einsum(
                "nc,ijoc->nijo", x[:, i, j], kernel
            )
    cut = (side - 2) // 2
    return full[:, cut : cut + 2 * height, cut : cut + 2 * width] + bias


def norm(x, gamma, beta, epsilon):
    mean = x.mean(axis=(1, 2), keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=(1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def relu(x, slope=0.0):
    return np.where(x > 0, x, slope * x)


def contrib_norm(x, gamma, beta, epsilon):
    """keras_contrib's: epsilon beside the deviation."""
    deviation = x.std(axis=(1, 2), keepdims=True)
    return (x - x.mean(axis=(1, 2), keepdims=True)) / (deviation + epsilon) * gamma + beta


def run_resnet(arrays, x, downs=1, blocks=1, epsilon=1e-3, norm=norm):
    """keras.io's generator on float (N, H, W, C), weights in order."""
    rest = iter([array.astype(np.float64) for _, array in arrays])

    def normed(y):
        return norm(y, next(rest), next(rest), epsilon)

    x = relu(normed(conv(mirror(x, SIDE // 2), next(rest))))
    for _ in range(downs):
        x = relu(normed(conv(x, next(rest), stride=2, padding="same")))
    for _ in range(blocks):
        y = relu(normed(conv(mirror(x, 1), next(rest))))
        x = x + normed(conv(mirror(y, 1), next(rest)))
    for _ in range(downs):
        x = relu(normed(up(x, next(rest))))
    x = np.tanh(conv(mirror(x, SIDE // 2), next(rest), next(rest)))
    assert next(rest, None) is None
    return x


def run_unet(arrays, x, depth, epsilon=1e-5):
    """The U-Net of the pix2pix tutorial."""
    rest = iter([array.astype(np.float64) for _, array in arrays])
    skips = []
    for level in range(depth):
        x = conv(x, next(rest), stride=2, padding="same")
        if level:
            x = norm(x, next(rest), next(rest), epsilon)
        x = relu(x, 0.3)
        skips.append(x)
    skips.pop()
    for _ in range(depth - 1):
        x = relu(norm(up(x, next(rest)), next(rest), next(rest), epsilon))
        x = np.concatenate([x, skips.pop()], axis=-1)
    x = np.tanh(up(x, next(rest), next(rest)))
    assert next(rest, None) is None
    return x


# Their weights, by the names Keras 2 gave
# ---------------------------------------------------------------------


class Weights:
    """Draws weights and numbers layers as Keras 2 did: conv2d, conv2d_1, ..."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.counts = {}
        self.arrays = []

    def name(self, kind):
        number = self.counts.get(kind, 0)
        self.counts[kind] = number + 1
        return f"{kind}_{number}" if number else kind

    def kernel(self, kind, *shape):
        array = self.random.normal(0, 1.4 / np.sqrt(np.prod(shape[:2]) * min(shape[2:])), shape)
        self.arrays.append((f"{self.name(kind)}/kernel:0", array.astype(np.float32)))

    def vectors(self, layer, *names, size):
        for name in names:
            start = 1.0 if name in ("gamma", "scale") else 0.0
            self.arrays.append(
                (f"{layer}/{name}:0", self.random.normal(start, 0.3, size).astype(np.float32))
            )

    def norm(self, size, names=("gamma", "beta")):
        self.vectors(self.name("instance_normalization"), *names, size=size)


def resnet_arrays(filters=2, downs=1, blocks=1, channels=3, out=3, seed=0):
    weights, width = Weights(seed), filters
    weights.kernel("conv2d", SIDE, SIDE, channels, width)
    weights.norm(width)
    for _ in range(downs):
        weights.kernel("conv2d", 3, 3, width, 2 * width)
        width *= 2
        weights.norm(width)
    for _ in range(2 * blocks):
        weights.kernel("conv2d", 3, 3, width, width)
        weights.norm(width)
    for _ in range(downs):
        width //= 2
        weights.kernel("conv2d_transpose", 3, 3, width, 2 * width)
        weights.norm(width)
    weights.kernel("conv2d", SIDE, SIDE, width, out)
    weights.vectors(weights.arrays[-1][0].split("/")[0], "bias", size=out)
    return weights.arrays


def unet_arrays(filters=2, depth=3, channels=3, out=3, seed=0, names=("scale", "offset")):
    weights = Weights(seed)
    widths = [filters * min(2**level, 4) for level in range(depth)]
    given = channels
    for level, width in enumerate(widths):
        weights.kernel("conv2d", 4, 4, given, width)
        if level:
            weights.norm(width, names)
        given = width
    for level in reversed(range(depth - 1)):
        weights.kernel("conv2d_transpose", 4, 4, widths[level], given)
        weights.norm(widths[level], names)
        given = 2 * widths[level]
    weights.kernel("conv2d_transpose", 4, 4, out, given)
    weights.vectors(weights.arrays[-1][0].split("/")[0], "bias", size=out)
    return weights.arrays


def by_layer(arrays):
    """[(layer, [(name, array)])] in order."""
    groups: dict[str, list] = {}
    for name, array in arrays:
        groups.setdefault(name.split("/")[0], []).append((name, array))
    return list(groups.items())


# Their descriptions
# ----------------------------------------------------------------------------


def entry(kind, name, after=(), **config):
    """A layer as `model_config` lists it, called once on the layers `after`, or by nodes given."""
    after = [after] if isinstance(after, str) else list(after)
    nodes = [[[other, 0, 0, {}] for other in after]] if after else []
    config = {"name": name, "trainable": True, "dtype": "float32", **config}
    return {"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes}


def functional(name, *entries, outputs=None):
    outputs = outputs or [[entries[-1]["name"], 0, 0]]
    inputs = [[one["name"], 0, 0] for one in entries if one["class_name"] == "InputLayer"]
    config = {
        "name": name,
        "layers": list(entries),
        "input_layers": inputs,
        "output_layers": outputs,
    }
    return {"class_name": "Functional", "config": config}


def image_input(name="input_1", size=None, channels=3):
    shape = [None, size, size, channels]
    return entry("InputLayer", name, batch_input_shape=shape, sparse=False, ragged=False)


def initializer(kind, **config):
    return {"class_name": kind, "config": config}


def conv_entry(name, after, shape, kind="Conv2D", **config):
    settings = {
        "filters": shape[3] if kind == "Conv2D" else shape[2],
        "kernel_size": list(shape[:2]),
        "strides": [1, 1],
        "padding": "valid",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
        "activation": "linear",
        "use_bias": False,
        "kernel_initializer": initializer("RandomNormal", mean=0.0, stddev=0.02, seed=None),
        "bias_initializer": initializer("Zeros"),
        "kernel_regularizer": None,
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
    }
    if kind == "Conv2DTranspose":
        settings["output_padding"] = None
    return entry(kind, name, after, **{**settings, **config})


def norm_entry(name, after, channels, kind="Addons>InstanceNormalization", **config):
    settings = {
        "groups": channels,
        "axis": -1,
        "epsilon": 0.001,
        "center": True,
        "scale": True,
        "beta_initializer": initializer("Zeros"),
        "gamma_initializer": initializer("RandomNormal", mean=0.0, stddev=0.02, seed=None),
        "beta_regularizer": None,
        "gamma_regularizer": None,
        "beta_constraint": None,
        "gamma_constraint": None,
    }
    return entry(kind, name, after, **{**settings, **config})


def resnet_config(arrays, blocks=1, size=None):
    """The description of keras.io's generator of one halving, in order with its weights."""
    shapes = iter([array.shape for name, array in arrays if "kernel" in name])
    names = iter([layer for layer, _ in by_layer(arrays)])
    entries = [image_input(size=size)]

    def add(made):
        entries.append(made)

    def last():
        return entries[-1]["name"]

    def pad(width):
        add(
            entry(
                "ReflectionPadding2D",
                f"reflection_padding2d_{len(entries)}",
                last(),
                padding=[width, width],
            )
        )

    def activation(kind):
        add(entry("Activation", f"activation_{len(entries)}", last(), activation=kind))

    def unit(kind="Conv2D", **config):
        shape = next(shapes)
        add(conv_entry(next(names), last(), shape, kind, **config))
        add(norm_entry(next(names), last(), shape[3] if kind == "Conv2D" else shape[2]))

    pad(SIDE // 2)
    unit()
    activation("relu")
    unit(strides=[2, 2], padding="same")
    activation("relu")
    for _ in range(blocks):
        start = last()
        pad(1)
        unit()
        activation("relu")
        pad(1)
        unit()
        add(entry("Add", f"add_{len(entries)}", [start, last()]))
    unit("Conv2DTranspose", strides=[2, 2], padding="same")
    activation("relu")
    pad(SIDE // 2)
    add(conv_entry(next(names), last(), next(shapes), use_bias=True))
    activation("tanh")
    return functional("generator_G", *entries)


# Files
# ----------------------------------------------------------------------------


def write_groups(holder, groups):
    holder.attrs["layer_names"] = np.array([name.encode() for name, _ in groups])
    holder.attrs["backend"] = b"tensorflow"
    holder.attrs["keras_version"] = b"2.15.0"
    for layer, arrays in groups:
        group = holder.create_group(layer)
        group.attrs["weight_names"] = np.array([name.encode() for name, _ in arrays], dtype="S")
        for name, array in arrays:
            group.create_dataset(name, data=array)


def write_h5(path, groups, config):
    """A full model: `model.save("x.h5")`."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.15.0"
        file.attrs["backend"] = b"tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        write_groups(file.create_group("model_weights"), groups)
    return path


def write_weights(path, groups):
    """Weights alone: `model.save_weights("x.h5")`."""
    with h5py.File(path, "w") as file:
        write_groups(file, groups)
    return path


def write_numbered(file, groups, container="layers"):
    """Weights in the layout of `.keras` and `.weights.h5`: groups by class and number."""
    for layer, arrays in groups:
        for index, (_, array) in enumerate(arrays):
            file.create_dataset(f"{container}/{layer}/vars/{index}", data=array)


def write_keras(path, groups, config, version="2.15.0"):
    """A zip file: `model.save("x.keras")`."""
    weights = path.with_suffix(".tmp")
    with h5py.File(weights, "w") as file:
        write_numbered(file, groups)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(as_zipped(config)))
        archive.write(weights, "model.weights.h5")
    weights.unlink()
    return path


def as_zipped(config):
    """The same with modules and registered names, as `.keras` files of Keras 2.13 to 2.15."""

    def spelled(one):
        kind = one["class_name"]
        custom = ">" in kind or kind == "ReflectionPadding2D"
        module = "__main__" if custom else "keras.layers"
        return {
            **one,
            "class_name": kind.split(">")[-1],
            "module": module,
            "registered_name": kind if custom else None,
        }

    layers = [spelled(one) for one in config["config"]["layers"]]
    return {
        "module": "keras.src.engine.functional",
        "class_name": "Functional",
        "config": {**config["config"], "trainable": True, "layers": layers},
        "registered_name": "Functional",
    }


def field(number, content):
    """A length-delimited field of a protocol buffer."""
    assert number < 16
    sizes, size = bytearray(), len(content)
    while size > 127:
        sizes.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(sizes) + bytes([size]) + content


def metadata_bytes(nodes):
    """keras_metadata.pb: by path, what Keras wrote of an object."""
    made = b""
    for path, entry_of_node in nodes.items():
        fields = bytes([2 << 3, 0]) + field(3, path.encode()) + field(4, b"_tf_keras_network")
        made += field(1, fields + field(5, json.dumps(entry_of_node).encode()))
    return made


def snapshot(arrays):
    """Objects of a checkpoint of a functional network with these weights."""
    root = tf.train.Checkpoint()
    for index, (_, held) in enumerate(by_layer(arrays)):
        layer = tf.train.Checkpoint()
        for name, array in held:
            setattr(layer, name.split("/")[-1].split(":")[0], tf.Variable(array))
        setattr(root, f"layer_with_weights-{index}", layer)
    return root


def saved_model(folder, arrays, config, name=None):
    """A SavedModel as far as it is read; `name` puts the network into a subclassed model."""
    network = snapshot(arrays)
    layers = [one["name"] for one in config["config"]["layers"]]
    for index, (layer, _) in enumerate(by_layer(arrays)):
        setattr(
            network, f"layer-{layers.index(layer)}", getattr(network, f"layer_with_weights-{index}")
        )
    (folder / "variables").mkdir(parents=True)
    program = saved_model_pb2.SavedModel()
    program.meta_graphs.add().graph_def.node.add(name="never run", op="WriteFile")
    (folder / "saved_model.pb").write_bytes(program.SerializeToString())
    nodes = {"root": config}
    if name is not None:
        nodes = {"root": {"class_name": "CycleGan", "config": {}}, f"root.{name}": config}
        root = tf.train.Checkpoint()
        setattr(root, name, network)
        network = root
    network.write(str(folder / "variables" / "variables"))
    (folder / "keras_metadata.pb").write_bytes(metadata_bytes(nodes))
    return folder
