"""Labels travel with their images, split by split; the manifest says what was made from what."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.translate import command as translate
from cyclegan_tf.translate.labels import Label, plan_labels
from cyclegan_tf.translate.tasks import plan_tasks
from tests.helpers.errors import refused


@pytest.fixture
def photos(tmp_path):
    """Two splits of one name each, labels of three kinds in the same folders."""
    rng = np.random.default_rng(0)
    for name in ("train/1.png", "val/1.jpg", "val/2.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 16, 3), np.uint8)).save(path)
    for name in ("train/1.png", "train/1.json", "val/1.txt", "val/1.md", "test/9.xml"):
        path = tmp_path / "labels" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def words(run, root, *more):
    out = [str(root / "images"), str(root / "out"), "--labels", str(root / "labels")]
    return [str(run), *out, "--quiet", *more]


def manifest(root):
    return json.loads((root / "out" / "manifest.json").read_text())


def test_labels_lie_beside_the_outputs_in_their_splits(tiny_run, photos, capsys):
    assert translate.main(words(tiny_run, photos)) == 0
    out = photos / "out"
    written = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    images = {"train/1.png", "val/1.jpg", "val/2.png"}
    carried = {"train/1.label.png", "train/1.json", "val/1.txt"}
    assert written == images | carried | {"manifest.json"}
    assert (out / "train/1.label.png").read_text() == "train/1.png"
    assert "1 of 3 images have no label file" in capsys.readouterr().err
    found = manifest(photos)
    assert found["outputs"]["train/1.png"] == {
        "source": "train/1.png",
        "source_sha256": hashlib.sha256((photos / "images/train/1.png").read_bytes()).hexdigest(),
        "labels": ["train/1.json", "train/1.label.png"],
        "generator": 0,
    }
    (made_by,) = found["generators"]
    assert made_by["direction"] == "xy"
    assert "(step 3, raw weights" in made_by["checkpoint"]
    assert set(made_by["scores"]) >= {"swd"}


def test_what_was_made_later_is_added(tiny_run, photos):
    assert translate.main(words(tiny_run, photos)) == 0
    with refused("exists", str(photos / "out/train/1.png")):
        translate.main(words(tiny_run, photos))
    (photos / "out/val/2.png").unlink()
    (photos / "out/val/1.txt").unlink()
    assert translate.main(words(tiny_run, photos, "--skip_existing", "--direction", "yx")) == 0
    assert (photos / "out/val/1.txt").is_file()
    found = manifest(photos)
    assert [each["direction"] for each in found["generators"]] == ["xy", "yx"]
    assert {name: each["generator"] for name, each in found["outputs"].items()} == {
        "train/1.png": 0, "val/1.jpg": 0, "val/2.png": 1,
    }  # fmt: skip


def test_a_label_that_is_there_is_not_replaced_unasked(photos):
    plan = plan_tasks(photos / "images", photos / "out")
    (photos / "out" / "val").mkdir(parents=True)
    (photos / "out/val/1.txt").write_text("of somebody else")
    found = plan_labels(photos / "labels", photos / "images", photos / "out", plan.tasks)
    with refused("exists", str(photos / "out/val/1.txt"), match="exists already"):
        found.refuse_overwriting()


def test_one_image(photos):
    source, target = photos / "images/val/1.jpg", photos / "new.png"
    plan = plan_tasks(source, target)
    found = plan_labels(photos / "labels/val", source, target, plan.tasks)
    assert found.labels[source] == [Label(photos / "labels/val/1.txt", photos / "new.txt")]
    assert found.manifest == photos / "new.manifest.json"


def test_labels_in_the_folder_of_the_images(photos):
    (photos / "images/val/1.txt").write_text("beside")
    plan = plan_tasks(photos / "images", photos / "out")
    found = plan_labels(photos / "images", photos / "images", photos / "out", plan.tasks)
    assert sum(map(len, found.labels.values())) == 1


def test_labels_of_other_images_are_refused(photos):
    plan = plan_tasks(photos / "images", photos / "out")
    with refused("missing", "--labels", match="no such folder; did you mean .*labels"):
        plan_labels(photos / "label", photos / "images", photos / "out", plan.tasks)
    with refused("mismatch", "--labels", match="holds no label"):
        plan_labels(photos / "labels/val", photos / "images", photos / "out", plan.tasks)
