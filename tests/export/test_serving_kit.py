"""The kit for clusters of servers: KServe's objects, field by field, and Triton's repository."""

import re
from pathlib import Path

import pytest
import yaml

KIT = Path(__file__).parents[2] / "export" / "serving"
# Of KServe's cluster-wide runtimes: what each serves, and by which protocols.
RUNTIMES = {
    "kserve-tensorflow-serving": ({("tensorflow", "1"), ("tensorflow", "2")}, {"v1", "grpc-v1"}),
    "kserve-tritonserver": ({("onnx", "1"), ("triton", "2")}, {"v2", "grpc-v2"}),
}
MODEL_FIELDS = {"runtime", "modelFormat", "protocolVersion", "storageUri", "resources"}


@pytest.fixture(scope="module")
def services():
    return list(yaml.safe_load_all((KIT / "kserve.yaml").read_text()))


def test_services_have_kserves_fields(services):
    assert len(services) == 2
    for service in services:
        assert service["apiVersion"] == "serving.kserve.io/v1beta1"
        assert service["kind"] == "InferenceService"
        # A name of Kubernetes, which becomes part of a host's.
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", service["metadata"]["name"])
        assert set(service["spec"]) == {"predictor"}
        model = service["spec"]["predictor"]["model"]
        assert set(model) == MODEL_FIELDS
        formats, protocols = RUNTIMES[model["runtime"]]
        assert (model["modelFormat"]["name"], model["modelFormat"]["version"]) in formats
        assert model["protocolVersion"] in protocols
        assert set(model["resources"]) == {"requests", "limits"}


def test_services_point_at_what_an_export_writes(services):
    paths = [each["spec"]["predictor"]["model"]["storageUri"] for each in services]
    assert [re.sub(r"^pvc://\w+/OUT/", "", path) for path in paths] == [
        "saved_model/horse2zebra_xy",
        "onnx",
    ]
