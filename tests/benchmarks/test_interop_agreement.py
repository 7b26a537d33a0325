"""The program that measures how near converted networks are to PyTorch's."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import interop_agreement

torch = pytest.importorskip("torch", reason="the networks to convert are made by PyTorch")


@pytest.mark.slow
def test_a_network_goes_through_files_and_the_command(tmp_path, capsys):
    assert (
        interop_agreement.main(["--filters", "4", "--only", "pixel", "--out", str(tmp_path)]) == 0
    )
    *_, line = capsys.readouterr().out.splitlines()
    name, difference, largest, deviation = (cell.strip() for cell in line.strip("|").split("|"))
    assert name == "discriminator pixel"
    assert float(difference) < 1e-4
    assert float(largest) > 0.1  # else anything would be equal
    assert float(deviation) > 0.1


@pytest.mark.slow
def test_another_network_is_not_called_equal(tmp_path, monkeypatch):
    """What is converted is the file's network: shown another one's truth, the difference is
    seen."""
    made = interop_agreement.networks(4)
    network = made["discriminator pixel"]
    state = {name: value.clone() for name, value in network.state_dict().items()}
    saved = torch.save

    def spoiled(_, path):
        first = next(iter(state))
        saved({**state, first: state[first] + 0.1}, path)

    monkeypatch.setattr(torch, "save", spoiled)
    found = interop_agreement.compared("discriminator pixel", network, tmp_path)
    assert found["difference"] > 1e-3


def test_every_kind_that_the_docs_name_is_made():
    names = set(interop_agreement.networks(4))
    assert {
        "resnet_9blocks",
        "resnet_6blocks",
        "unet_256",
        "unet_128",
        "discriminator pixel",
    } <= names
    assert any("batch norm" in name for name in names)
