"""TF Serving's JSON: both forms, base64, and every way of getting it wrong."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.serve.models.limits import RequestError
from cyclegan_tf.serve.models.store import VersionStatus
from cyclegan_tf.serve.rest import protocol

IMAGES = {"images": tf.TensorSpec((None, None, None, 3), tf.float32)}
ENCODED = {"image_bytes": tf.TensorSpec((None,), tf.string)}
THREE = {
    "tag": tf.TensorSpec((None,), tf.string),
    "signal": tf.TensorSpec((None, None), tf.int32),
    "flag": tf.TensorSpec((None,), tf.bool),
}


def read(document, specs):
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return protocol.input_arrays(protocol.parse_body(data), specs)


def refused(document, specs=IMAGES):
    with pytest.raises(RequestError) as caught:
        read(document, specs)
    assert caught.value.status == 400
    return caught.value.message


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [[[[1, 2.5, -3]]], [[[4, 5, 6]]]]},
        {"instances": [{"images": [[[1, 2.5, -3]]]}, {"images": [[[4, 5, 6]]]}]},
        {"inputs": [[[[1, 2.5, -3]]], [[[4, 5, 6]]]]},
        {"inputs": {"images": [[[[1, 2.5, -3]]], [[[4, 5, 6]]]]}},
    ],
)
def test_numbers_in_every_form(document):
    array = read(document, IMAGES)["images"]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [[[[1, 2.5, -3]]], [[[4, 5, 6]]]])


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [b64(b"\x00one"), b64(b"\xfftwo")]},
        {"instances": [{"image_bytes": b64(b"\x00one")}, {"image_bytes": b64(b"\xfftwo")}]},
        {"inputs": [b64(b"\x00one"), b64(b"\xfftwo")]},
        {"inputs": {"image_bytes": [b64(b"\x00one"), b64(b"\xfftwo")]}},
    ],
)
def test_bytes_in_every_form(document):
    array = read(document, ENCODED)["image_bytes"]
    assert array.dtype == object
    assert array.tolist() == [b"\x00one", b"\xfftwo"]


def test_further_inputs_are_passed_over_and_an_empty_body_is_named():
    document = {"inputs": {"image_bytes": ["a"], "more": 1}}
    assert read(document, ENCODED)["image_bytes"].tolist() == [b"a"]
    assert refused(b"") == "JSON Parse error: The document is empty"


def test_a_scalar_and_a_plain_string():
    assert read({"inputs": b64(b"one")}, ENCODED)["image_bytes"].shape == ()
    assert read({"instances": ["ä\ud800"]}, ENCODED)["image_bytes"].tolist() == ["ä?".encode()]


def test_several_inputs():
    rows = [
        {"tag": "foo", "signal": [1, 2], "flag": True},
        {"tag": b64(b"bar"), "signal": [3, 4], "flag": False},
    ]
    columns = {"tag": ["foo", b64(b"bar")], "signal": [[1, 2], [3, 4]], "flag": [True, False]}
    for document in ({"instances": rows}, {"inputs": columns}):
        arrays = read(document, THREE)
        assert arrays["tag"].tolist() == [b"foo", b"bar"]
        assert arrays["signal"].tolist() == [[1, 2], [3, 4]]
        assert arrays["signal"].dtype == np.int32
        assert arrays["flag"].tolist() == [True, False]
    for document in (
        {"instances": [1]},
        {"inputs": [1]},
        {"instances": [{"tag": "a"}]},
        {"inputs": {"tag": []}},
    ):
        assert "signal" in refused(document, THREE)
    assert "element 1" in refused({"instances": [rows[0], "plain"]}, THREE)


def test_the_signature_is_the_default_one_unless_named():
    assert protocol.parse_body(b'{"instances": [1]}').signature_name == "serving_default"
    assert (
        protocol.parse_body(b'{"instances": [1], "signature_name": ""}').signature_name
        == "serving_default"
    )
    assert protocol.parse_body(b'{"inputs": 1, "signature_name": "a"}') == protocol.PredictBody(
        "a", False, 1
    )


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"null", b'"a"', b"{}", b'{"instances": []}',
        b'{"instances": {}}',
        b'{"instances": 1}', b'{"instances": [1], "inputs": [1]}', b'{"instances": [1], '
                                                                   b'"signature_name": 1}',
        b'{"instances": [NaN]}', b'{"instances": [Infinity]}', b'{"instances": [-Infinity]}',
        b'{"inputs": nan}',
        b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"instances": [' + b"9" * 5000 + b"]}",
    ],
)  # fmt: skip
def test_bodies_that_are_no_request(document):
    refused(document)


@pytest.mark.parametrize(
    "value",
    [
        [[[[1, 2, 3]], [[1, 2]]]], [[1, [2]]], [[[1], 2]], [[[], [1]]], [[[1], []]], ["1.0"],
        [True], [None],
        [{"a": 1}], [{"b64": "AAAA"}], [[[["1", 2, 3]]]], [10**400], [[[[[[[[[[1]]]]]]]]]],
        [[0] * 1000 + ["x" * 100_000]],
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_values_that_are_no_image_of_numbers(form, value):
    refused({form: value})


@pytest.mark.parametrize(
    "value",
    [1, None, True, [1], {}, {"b64": 1}, {"b64": "AAAA", "c": 1}, {"b64": "%%%%"}, {"b64": "AAA"},
    {"b64": "ä"},
     {"b64": "AAAA="}, {"b64": "AAAA=="}, {"b64": "AAAA===="}, {"b64": "AAAA====AAAA"},
     {"b64": "AA=A"}, {"b64": "AAAA\nAAAA"}, {"b64": None}],
)  # fmt: skip
def test_values_that_are_no_bytes(value):
    refused({"instances": ["good", value]}, ENCODED)
    refused({"inputs": {"image_bytes": ["good", value]}}, ENCODED)


def test_an_int_out_of_range_is_refused():
    assert "too large" in refused({"inputs": {"tag": [], "signal": [[2**31]], "flag": []}}, THREE)


def test_status_is_that_of_tf_serving():
    statuses = [VersionStatus(2, "END", "UNKNOWN", "broken"), VersionStatus(10, "AVAILABLE")]
    assert protocol.status_document(statuses) == {
        "model_version_status": [
            {
                "version": "10",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            },
            {
                "version": "2",
                "state": "END",
                "status": {"error_code": "UNKNOWN", "error_message": "broken"},
            },
        ]
    }


def test_metadata_is_that_of_tf_serving():
    from google.protobuf.json_format import ParseDict
    from tensorflow.core.protobuf import meta_graph_pb2

    definition = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    definition.inputs["images"].name, definition.inputs["images"].dtype = (
        "serving_default_images:0",
        1,
    )
    for size in (-1, 3):
        definition.inputs["images"].tensor_shape.dim.add(size=size)
    document = protocol.metadata_document("m", 3, {"serving_default": definition})
    assert document["model_spec"] == {"name": "m", "signature_name": "", "version": "3"}
    found = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert found["method_name"] == "tensorflow/serving/predict"
    assert found["outputs"] == {}
    assert found["inputs"]["images"] == {
        "dtype": "DT_FLOAT",
        "name": "serving_default_images:0",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "3", "name": ""}],
            "unknown_rank": False,
        },
    }
    assert ParseDict(found, meta_graph_pb2.SignatureDef()) == definition


def test_json_is_ascii_whatever_a_client_wrote():
    assert json.loads(protocol.to_json(protocol.error_document("ä\ud800"))) == {"error": "ä\ud800"}
