"""Seeds that are the same everywhere, devices that are checked first."""

import hashlib

import pytest
import torch

from styleT2I.errors import DeviceError
from styleT2I.torch_utils.hardware.devices import decide_tf32, resolve_device
from styleT2I.torch_utils.seeding import derive_seed, generator


def test_seeds_follow_from_their_parts_alone():
    expected = int(hashlib.sha256(b"str:w\x1fint:3").hexdigest()[:16], 16) >> 1
    assert derive_seed("w", 3) == expected
    parts = [("w", 3), (3, "w"), ("w", "3"), ("w3",), ("w", 3, 0)]
    assert len({derive_seed(*p) for p in parts}) == len(parts)


def test_generators_of_the_same_parts_agree_and_leave_the_global_one_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    draws = [torch.randn(4, generator=generator("a", 1)) for _ in range(2)]
    assert torch.equal(*draws) and not torch.equal(draws[0], torch.randn(4, generator=generator("a", 2)))
    assert torch.equal(torch.get_rng_state(), state)


def test_known_devices_resolve():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", "", "mps:1", "cuda:", "cuda:999"])
def test_unknown_or_absent_devices_are_one_line(name):
    with pytest.raises(DeviceError, match="device") as caught:
        resolve_device(name)
    assert "\n" not in str(caught.value)


@pytest.fixture
def tf32_flags():
    """torch's own defaults, and what they were afterwards."""
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [flag.allow_tf32 for flag in flags]
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = False, True
    yield
    for flag, value in zip(flags, before, strict=True):
        flag.allow_tf32 = value


@pytest.mark.parametrize("value, is_allowed", [(None, False), ("", False), ("0", False), ("1", True), ("true", True)])
def test_tf32_is_off_unless_the_environment_asks_for_it(monkeypatch, tf32_flags, value, is_allowed):
    monkeypatch.delenv("STYLET2I_TF32", raising=False)
    if value is not None:
        monkeypatch.setenv("STYLET2I_TF32", value)
    assert decide_tf32() is is_allowed
    assert torch.backends.cudnn.allow_tf32 is torch.backends.cuda.matmul.allow_tf32 is is_allowed


@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:0"])
def test_a_cuda_device_is_resolved_with_tf32_decided(monkeypatch, tf32_flags, name):
    monkeypatch.delenv("STYLET2I_TF32", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device(name).type == "cuda" and not torch.backends.cudnn.allow_tf32
