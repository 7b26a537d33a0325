"""TF Serving's addresses in any case."""

import pytest

from cyclegan_tf.serve.http import addresses


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("/V1/MODELS/Tiny_XY", "/v1/models/Tiny_XY"), ("/v1/Models", "/v1/models"),
     ("/v1/models/A/VERSIONS/3:PREDICT", "/v1/models/A/versions/3:predict"),
     ("/V1/models/A/Metadata", "/v1/models/A/metadata"), ("/V1/models/A/", "/V1/models/A/"),
     ("/Parts/A.js", "/Parts/A.js"), ("/", "/")],
)  # fmt: skip
def test_all_but_the_name_is_in_lower_case(path, wanted):
    assert addresses.canonical(path) == wanted


def test_what_is_below_the_root():
    for path, wanted in {"/v1": True, "/V1/a": True, "/v10": False, "/": False}.items():
        assert addresses.is_of_models(path) == wanted
