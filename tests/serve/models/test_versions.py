"""Folders of models, and one version loaded from one."""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.serve.models import versions
from cyclegan_tf.serve.models.engine import infer
from cyclegan_tf.serve.models.limits import Limits, RequestError
from tests.helpers import foreign, tiny_serving
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    tiny_serving.save(folder)
    return folder


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


class Foreign(tf.Module):
    """What TF Serving's own test models are like: any rank, tf.Example, a call that may fail."""

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
    def of_any_rank(self, x):
        return {"y": 0.5 * x + 2}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "examples")])
    def of_examples(self, examples):
        read = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return {"y": 0.5 * read["x"] + 2}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")])
    def picky(self, x):
        with tf.control_dependencies([tf.debugging.assert_positive(x)]):
            return {"y": 1 / x}


def test_models_of_other_kinds_are_loaded_and_called(tmp_path, caplog):
    model, path = Foreign(), tmp_path / "half_plus_two" / "00000123"
    signatures = {
        "serving_default": model.of_any_rank,
        "regress": model.of_examples,
        "picky": model.picky,
    }
    tf.saved_model.save(model, str(path), signatures=signatures)
    with caplog.at_level("INFO", "cyclegan_tf.serve"):
        version = versions.load_version("half_plus_two", 123, path)
    assert sum("takes no small image" in message for message in caplog.messages) == 3
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(3.0)
    for name, arrays, wanted in [
        ("serving_default", {"x": np.array([[1, 2]], np.float32)}, [[2.5, 3]]),
        ("regress", {"examples": np.array([example.SerializeToString()], object)}, [[3.5]]),
        ("picky", {"x": np.array([4], np.float32)}, [0.25]),
    ]:
        outputs, count = infer(version, name, lambda _, arrays=arrays: arrays, Limits())
        np.testing.assert_array_equal(outputs["y"], wanted)
        assert count == 1


def test_strings_of_a_model_that_decodes_images_are_images(out):
    version = versions.load_version("tiny_xy", 1, out / "saved_model" / "tiny_xy" / "1")
    assert version.signature("image_bytes").decodes_images


def test_a_version_runs_and_describes_itself(out):
    version = versions.load_version("tiny_xy", 1, out / "saved_model" / "tiny_xy" / "1")
    assert set(version.signatures) == {"serving_default", "image_bytes"}
    assert (
        version.signature_defs["image_bytes"].inputs["image_bytes"].dtype
        == tf.string.as_datatype_enum
    )
    assert version.load_seconds > 0
    files = [path for path in (out / "saved_model" / "tiny_xy" / "1").rglob("*") if path.is_file()]
    assert version.size_bytes == sum(path.stat().st_size for path in files)
    assert len(version.sha256) == 64
    images = np.linspace(-1, 1, 24, dtype=np.float32).reshape(1, 2, 4, 3)
    np.testing.assert_array_equal(
        version.signature("serving_default")({"images": images})["translated"], -images
    )
    pixels = tiny_serving.image()
    (png,) = version.signature("image_bytes")(
        {"image_bytes": np.array([tiny_serving.png(pixels)], object)}
    )["translated_bytes"]
    np.testing.assert_array_equal(tf.io.decode_png(png).numpy(), 255 - pixels)
    with pytest.raises(
        RequestError, match='"none" not found in signature def; there are: image_bytes'
    ):
        version.signature("none")


def test_files_are_checked_against_the_card(out, tmp_path):
    path = tiny_serving.save(tmp_path)
    weights = path / "variables" / "variables.index"
    card = path / "assets.extra" / "card.json"
    card.parent.mkdir()
    names = ["saved_model.pb", "variables/variables.index"]
    sums = {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in names}
    card.write_text(json.dumps({"direction": "xy", "files": sums}))
    assert versions.load_version("m", 1, path).card["direction"] == "xy"
    kept = weights.read_bytes()
    weights.write_bytes(kept + b"x")
    with pytest.raises(UserError, match=r"variables.index is not as it was exported") as caught:
        versions.load_version("m", 1, path)
    assert (caught.value.code, caught.value.field) == ("mismatch", str(weights))
    weights.unlink()
    with pytest.raises(UserError, match=r"lacks variables/variables.index") as caught:
        versions.load_version("m", 1, path)
    assert (caught.value.code, caught.value.field) == ("missing", str(path))


def test_a_damaged_variable_is_one_sentence(tmp_path):
    path = tiny_serving.save(tmp_path)
    (path / "variables" / "variables.index").write_bytes(b"no index")
    with refused("unreadable", path):
        versions.load_version("m", 1, path)


def test_recorded_requests_warm_up(tmp_path):
    """A request that cannot run shows that requests are run at all."""
    apis = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    path = tiny_serving.save(tmp_path)
    record = path / "assets.extra" / "tf_serving_warmup_requests"
    record.parent.mkdir()

    def write(signature, data):
        log = apis.PredictionLog()
        request = log.predict_log.request
        request.model_spec.signature_name = signature
        request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(np.array([data], object)))
        with tf.io.TFRecordWriter(str(record)) as writer:
            writer.write(log.SerializeToString())

    write("image_bytes", tiny_serving.png(tiny_serving.image()))
    versions.load_version("m", 1, path)
    write("image_bytes", b"no image")
    with refused("unreadable", path, match="it must be a SavedModel that can be loaded"):
        versions.load_version("m", 1, path)


def test_a_fingerprint_changes_with_any_file(tmp_path):
    first = touch(tmp_path / "1" / "saved_model.pb")
    before = versions.fingerprint(tmp_path)
    assert versions.fingerprint(tmp_path) == before
    first.write_bytes(b"a")
    changed = versions.fingerprint(tmp_path)
    touch(tmp_path / "1" / "variables" / "more")
    assert len({before, changed, versions.fingerprint(tmp_path)}) == 3


def test_a_program_is_run_only_if_it_is_trusted(tmp_path):
    written = tmp_path / "written"

    def act(images):
        tf.io.write_file(str(written), "x")
        return images

    folder = foreign.save_program(tmp_path / "m" / "1", act)
    with refused("unsupported", folder):
        versions.load_version("m", 1, folder)
    assert not written.exists()
    versions.load_version("m", 1, folder, trust=True)
    assert written.exists()  # by the call that warms it up


@pytest.mark.parametrize("kind", [{"kind": "area", "px": 64, "aspect": 1.0}, None, "damaged"])
def test_limits_know_the_scale_that_the_card_names(kind):
    version = versions.ModelVersion("m", 1, {}, {}, {"training_scale": kind}, 0, "")
    scale = version.limits(Limits(), "image_bytes").scale
    assert scale == (TrainingScale("area", 64) if isinstance(kind, dict) else None)
    assert version.limits(Limits(), "full_size").scale is None
