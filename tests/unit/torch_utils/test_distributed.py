"""Processes that share a batch: layers and sums of all rows, derivatives through them, who is who."""

import pytest
import torch

from styleT2I.errors import ConfigError, DeviceError
from styleT2I.torch_utils import distributed
from styleT2I.torch_utils.hardware import devices
from styleT2I.torch_utils.launch import Place, launched, launched_here, shard_of, who
from styleT2I.training.shared_layers import share_layers
from tests.shared.layers import gradients, write_gradients
from tests.shared.processes import together


def as_process(monkeypatch, index, count, **names):
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, str(index))
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, str(count))
    for name, value in names.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("num", [2, 4])
def test_layers_and_derivatives_of_a_shared_batch_are_those_of_one_process(num, tmp_path):
    assert together(write_gradients, tmp_path / "found.pt", num=num) == ["done"] * num
    found, expected = torch.load(tmp_path / "found.pt"), gradients()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-11, msg=name)


def test_a_place_is_torchruns_alone(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")  # as a cluster may set them for torchrun's own use
    assert launched() == launched_here() == Place(0, 1) and who() == ""
    as_process(monkeypatch, 1, 4)
    assert launched() == Place(1, 4) and who() == "process 1 of 4: "
    assert shard_of(list("abcdefghij"), launched()) == ["b", "f", "j"]
    for index in ("4", "x", "-1"):
        with pytest.raises(ConfigError, match="no place among processes"):
            as_process(monkeypatch, index, 4)
            launched()


def test_each_process_has_a_cuda_device_of_its_own_and_too_few_are_refused(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    as_process(monkeypatch, 1, 2)
    assert devices.resolve_device("cuda") == devices.resolve_device("auto") == torch.device("cuda", 1)
    assert devices.resolve_device("cuda:0") == torch.device("cuda", 0) and chosen == [1, 1]
    as_process(monkeypatch, 2, 4)
    with pytest.raises(DeviceError, match="4 processes on a machine of 2 CUDA devices; .* --nproc-per-node 2"):
        devices.resolve_device("cuda")


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_a_wait_that_is_no_time_is_refused(text, monkeypatch):
    as_process(monkeypatch, 0, 2, STYLET2I_WAIT=text)
    with pytest.raises(ConfigError, match="STYLET2I_WAIT"), distributed.group(torch.device("cpu")):
        pass


def test_one_process_is_left_as_it_is():
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Dropout())
    share_layers([network])
    assert [type(module) for module in network] == [torch.nn.BatchNorm1d, torch.nn.Dropout]
    x = torch.rand(3, 2)
    assert distributed.gathered(x) is distributed.summed(x) is distributed.averaged(x) is x
    assert distributed.first_does(lambda: 5) == 5 and distributed.collected("part") == ["part"]
    assert distributed.agree({"loss": 0.5}, True) == ({"loss": 0.5}, True)
