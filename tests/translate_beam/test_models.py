"""A job's model: the newest version, as it was exported, of a generator."""

import shutil

import pytest
import tensorflow as tf

from tests.helpers import foreign
from tests.helpers.errors import refused

pytest.importorskip("apache_beam", reason='needs Apache Beam: pip install ".[beam]"')

from cyclegan_tf.export.model_card import write_model_card
from cyclegan_tf.translate_beam import models


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    folder = foreign.save_program(tmp_path_factory.mktemp("m") / "2", lambda images: -images)
    write_model_card(folder, {}, "assets.extra/card.json")
    return folder


@pytest.fixture
def copy(version, tmp_path):
    return shutil.copytree(version, tmp_path / "m" / "2")


def test_the_newest_version_is_taken_with_its_channels(copy):
    for other in ("1", "x", ".partial-10"):
        shutil.copytree(copy, copy.parent / other)
    assert models.find_model(str(copy.parent), trust=False) == (str(copy), 3)
    assert models.find_model(str(copy), trust=False) == (str(copy), 3)
    assert models.SIGNATURE in models.load_model(str(copy)).signatures


def test_a_changed_file_is_found_before_the_model_is_loaded(copy):
    (data,) = copy.glob("variables/variables.data-*")
    data.write_bytes(bytes([255]) + data.read_bytes()[1:])
    with refused("mismatch", copy):
        models.find_model(str(copy), trust=False)
    data.unlink()
    with refused("missing", copy):
        models.find_model(str(copy), trust=True)


def test_what_is_no_generator_is_refused(tmp_path):
    with refused("missing", tmp_path):
        models.find_model(str(tmp_path), trust=False)
    module = tf.Module()
    module.double = tf.function(lambda x: x * 2, input_signature=[tf.TensorSpec((), tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "m"))
    with refused("unsupported", tmp_path / "m", match="no SavedModel of a generator that takes"):
        models.find_model(str(tmp_path / "m"), trust=False)


def test_whatever_tensorflow_raises_is_one_sentence(copy):
    (copy / "variables" / "variables.index").write_bytes(b"")
    with refused("unreadable", copy, kind=models.ModelError):
        models.load_model(str(copy))


def test_a_model_without_the_output_is_refused(tmp_path):
    module = tf.Module()
    images = tf.TensorSpec((None, None, None, 3), tf.float32, "images")
    module.call = tf.function(lambda images: {"other": -images}, input_signature=[images])
    tf.saved_model.save(module, str(tmp_path), signatures=module.call)
    assert models.find_model(str(tmp_path), trust=False) == (str(tmp_path), 3)
    with refused("unreadable", tmp_path, match="'translated'"):
        models.load_model(str(tmp_path))
