"""Tiny networks in every kind of file, for the commands that open them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.mutations.samples import EVERYWHERE, Sample


def prepare(folder: Path) -> list[Sample]:
    """Writes the files, and the folders of SavedModels."""
    whole, work = folder / "whole", folder / "work"
    if not (whole / "done").exists():
        whole.mkdir()
        _write(whole)
        (whole / "done").touch()
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(whole, work)
    return [*_files(work), *_saved_models(work)]


def _write(folder: Path) -> None:
    from cyclegan_tf.convert.pytorch.files import require_torch

    require_torch()  # makes it safe to import beside TensorFlow
    import h5py
    import torch

    from tests.helpers import keras2, official_torch, tiny_onnx, tiny_tflite

    for name in ("keras", "pth", "keras_2", "h5", "weights", "numbered", "tflite", "onnx"):
        (folder / name).mkdir()
    network = _network()
    network.save(folder / "keras" / "a.keras")
    arrays = keras2.resnet_arrays()
    groups, config = keras2.by_layer(arrays), keras2.resnet_config(arrays)
    keras2.write_keras(folder / "keras_2" / "a.keras", groups, config)
    keras2.write_h5(folder / "h5" / "a.h5", groups, config)
    keras2.write_weights(folder / "weights" / "a.weights.h5", groups)
    with h5py.File(folder / "numbered" / "a.weights.h5", "w") as file:
        keras2.write_numbered(file, groups)
    state = official_torch.randomized(official_torch.Resnet(filters=2, blocks=1)).state_dict()
    torch.save(state, folder / "pth" / "new.pth")
    torch.save(state, folder / "pth" / "old.pth", _use_new_zipfile_serialization=False)
    (folder / "tflite" / "a.tflite").write_bytes(tiny_tflite.convolution(folder / "convolution", 3))
    (folder / "onnx" / "a.onnx").write_bytes(tiny_onnx.convolution())
    keras2.saved_model(folder / "keras_2_folder", arrays, config)
    _write_saved_models(folder, network)


def _network() -> Any:
    import keras

    from cyclegan_tf.networks.builders import build_generator

    keras.utils.set_random_seed(1)
    return build_generator("resnet_6blocks", filters=2, blocks=1)


def _write_saved_models(folder: Path, network: Any) -> None:
    import tensorflow as tf

    from cyclegan_tf.export.saved_model import write_saved_model

    write_saved_model(folder / "export", network, 4, 32, {"name": "a"})
    module = tf.Module()
    module.kernel = tf.Variable(np.full((3, 3, 3, 3), 0.1, np.float32))
    module.run = tf.function(
        lambda images: {"translated": tf.tanh(tf.nn.conv2d(images, module.kernel, 1, "SAME"))},
        input_signature=[tf.TensorSpec((None, None, None, 3))], autograph=False,
    )  # fmt: skip
    tf.saved_model.save(
        module, str(folder / "plain" / "1"), signatures={"serving_default": module.run}
    )


def _files(folder: Path) -> list[Sample]:
    from cyclegan_tf.convert.keras2.open import open_model
    from cyclegan_tf.inspect import inspector, render

    def inspected(path: Path) -> Callable[[], Any]:
        def read() -> Any:
            report = inspector.inspect_path(path, 16)
            render.render_report(report)
            return report

        return read

    def like(path: Path) -> Callable[[], Any]:
        network = open_model(folder / "h5" / "a.h5")[0]
        return lambda: _of(open_model(path, network)[0])

    made = {path.parent.name: path for path in folder.glob("*/a.*")}
    made |= {path.stem: path for path in folder.glob("pth/*")}
    keras_file, keras_2 = made["keras"], made["keras_2"]
    h5, weights, numbered = made["h5"], made["weights"], made["numbered"]
    rows: list[tuple[str, Any, Callable[[], Any], bool]] = [
        (".keras, translate", keras_file, lambda: _translating(keras_file), True),
        (".keras, inspect", keras_file, inspected(keras_file), True),
        (".keras of Keras 2, convert", keras_2, _converted(keras_2), True),
        (".h5, convert", h5, _converted(h5), False),
        (".h5, inspect", h5, inspected(h5), False),
        (".weights.h5 by name, convert", weights, like(weights), False),
        (".weights.h5 by number, convert", numbered, like(numbered), False),
        (".pth, convert", made["new"], _converted(made["new"]), True),
        (".pth before 1.6, convert", made["old"], _converted(made["old"]), False),
        (".tflite, inspect", made["tflite"], inspected(made["tflite"]), False),
        (".onnx, inspect", made["onnx"], inspected(made["onnx"]), False),
    ]
    return [
        Sample(name, path, path.parent, read, EVERYWHERE if is_covered else ())
        for name, path, read, is_covered in rows
    ]


def _saved_models(folder: Path) -> list[Sample]:
    from cyclegan_tf.inspect import inspector

    samples = []
    for name, is_ours in (("export", True), ("plain", False)):
        root = folder / name / "1"
        files = [root / "saved_model.pb", *sorted((root / "variables").iterdir())]
        files += [root / "assets.extra" / "card.json"] * is_ours
        for path in files:
            # a card vouches for all files but itself; TensorFlow for those of variables
            covered = EVERYWHERE if path.parent.name == "variables" else ()
            covered = EVERYWHERE if is_ours and path.suffix != ".json" else covered
            samples.append(
                Sample(
                    f"SavedModel {name} {path.suffix}, serve", path, root, _served(root), covered
                )
            )
    root = folder / "keras_2_folder"
    for path in (
        root / "keras_metadata.pb",
        root / "saved_model.pb",
        *(root / "variables").iterdir(),
    ):
        covered = EVERYWHERE if path.parent.name == "variables" else ()
        read = _converted(root)
        samples.append(
            Sample(f"SavedModel of Keras 2 {path.suffix}, convert", path, root, read, covered)
        )
    root = folder / "plain" / "1"
    samples.append(
        Sample(
            "SavedModel plain .pb, inspect",
            root / "saved_model.pb",
            root,
            lambda: inspector.inspect_path(root, 16),
        )
    )
    return samples


def _translating(path: Path) -> Any:
    """The image that the command makes with it."""
    from PIL import Image

    from cyclegan_tf.errors import UserError
    from cyclegan_tf.translate import command

    source, target = path.parent / "in.png", path.parent / "out.png"
    Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3)).save(source)
    if command.main([str(path), str(source), str(target), "--overwrite", "--quiet"]):
        raise UserError("the image was skipped, with its reason")
    return target.read_bytes()


def _converted(source: Path) -> Callable[[], Any]:
    """The file that the command makes of it, opened."""
    from cyclegan_tf.convert import command
    from cyclegan_tf.networks.files import open_network

    target = source.parent.parent / f"converted_{source.stem}.keras"

    def read() -> Any:
        command.main([str(source), str(target), "--overwrite", "--quiet"])
        return _of(open_network(target))

    return read


def _served(root: Path) -> Callable[[], Any]:
    """What a version that the server loads gives for one image."""
    from cyclegan_tf.serve.models import versions

    image = np.random.default_rng(5).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)

    def read() -> Any:
        version = versions.load_version("a", 1, root)
        return version.signature("serving_default")({"images": image})

    return read


def _of(network: Any) -> Any:
    """The weights, and the image that comes out."""
    image = np.random.default_rng(5).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    return [network.get_weights(), np.asarray(network(image, training=False))]
