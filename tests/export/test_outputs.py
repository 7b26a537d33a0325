"""Names of outputs, and what is not written over."""

import pytest

from cyclegan_tf.export.outputs import (
    CARD_NAME,
    MANIFEST,
    model_name,
    page_path,
    refuse_existing_outputs,
    title_of,
)
from tests.helpers.errors import refused

NAMES = {"xy": "mine_xy", "yx": "mine_yx"}


@pytest.mark.parametrize(
    ("wanted", "target", "name"),
    [
        (None, "runs/zebra", "zebra_xy"),
        (None, "runs/my zebras!", "my_zebras_xy"),
        (None, "runs/generator_xy.keras", "generator_xy"),
        (None, "runs/a.b", "a.b_xy"),
        ("other", "runs/zebra", "other_xy"),
    ],
)
def test_names(wanted, target, name, tmp_path):
    assert model_name(wanted, tmp_path / target, "xy") == name


@pytest.mark.parametrize("wanted", ["a/b", "", "a b", ".hidden", "ä"])
def test_names_that_urls_stumble_over(wanted, tmp_path):
    with refused("invalid", "--name") as caught:
        model_name(wanted, tmp_path, "xy")
    assert (caught.value.code, caught.value.field) == ("invalid", "--name")


def test_the_title_of_both():
    assert title_of(NAMES) == "mine"


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("keras", f"keras/mine_yx/{CARD_NAME}"),
        ("web", f"web/{MANIFEST}"),
        ("hub", f"hub/mine/{CARD_NAME}"),
        ("html", "html/mine.html"),
    ],
)
def test_what_is_there_is_replaced_only_if_asked(tmp_path, kind, file):
    refuse_existing_outputs(tmp_path, [kind], NAMES, overwrite=False)
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.touch()
    with refused("exists"):
        refuse_existing_outputs(tmp_path, ["saved_model", kind], NAMES, overwrite=False)
    refuse_existing_outputs(tmp_path, [kind], NAMES, overwrite=True)
    refuse_existing_outputs(tmp_path, ["saved_model"], NAMES, overwrite=False)


def test_what_is_no_page_is_never_replaced(tmp_path):
    page_path(tmp_path, "mine").mkdir(parents=True)
    with refused("exists"):
        refuse_existing_outputs(tmp_path, ["html"], NAMES, overwrite=True)
