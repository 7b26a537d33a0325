"""Models and images of this machine, before Beam is imported."""

import pytest

from cyclegan_tf.translate_beam.local import check_local
from tests.helpers.errors import refused


@pytest.fixture
def root(tmp_path):
    for name in ("model/2/saved_model.pb", "photos/a.jpg", "photos/in/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_what_is_there_passes(root):
    patterns = ["photos/a.jpg", "photos/*.jpg", "*/in/*.png", "photos/**", "photos/**.png"]
    check_local(str(root / "model"), [f"{root}/{pattern}" for pattern in patterns])
    check_local(str(root / "model/2"), ["gs://bucket/none/*.jpg"])
    check_local("gs://bucket/model", [])


def test_a_model_that_is_not_there(root):
    for name in ("photos", "none"):
        with refused("missing", root / name):
            check_local(str(root / name), [])


@pytest.mark.parametrize("pattern", ["photos/c.jpg", "photos/*.gif", "none/*.jpg", "none/**"])
def test_images_that_are_not_there(root, pattern):
    if "**" in pattern:  # Beam says so
        check_local(str(root / "model"), [f"{root}/{pattern}"])
        return
    with refused("missing", "INPUT"):
        check_local(str(root / "model"), [f"{root}/{pattern}"])
