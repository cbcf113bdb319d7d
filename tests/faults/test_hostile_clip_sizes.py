"""Tensors and configurations of CLIPs nobody could hold: refused before they cost memory, time or a download."""

import json
import resource
import warnings

import pytest
import torch

from styleT2I import load_clip
from styleT2I.config import to_dict
from styleT2I.errors import StyleT2IError
from styleT2I.formats.component import write_component
from styleT2I.formats.foreign.clip.layout import clip_model
from tests.clip_containers import refused, saved
from tests.plain_clip import SCALARS, random_state
from tests.tiny_model import tiny_clip


@pytest.mark.parametrize(
    "change",
    [
        {"positional_embedding": torch.zeros(1, 1).expand(5_000_000, 1).contiguous()},  # its mask would take 100 TB
        {f"visual.transformer.resblocks.{i}.ln_1.bias": torch.zeros(1) for i in range(5000)},
        {f"transformer.resblocks.{i}.ln_1.bias": torch.zeros(1) for i in range(5000)},
        {"text_projection": torch.zeros(1_000_000, 1)},  # layers of 10^12 weights
        {"visual.conv1.weight": torch.zeros(1_000_000, 3, 1, 1)},
        {"visual.positional_embedding": torch.zeros(3000 * 3000 + 1, 1)},
        {
            "visual.attnpool.positional_embedding": torch.zeros(2, 1),
            "visual.layer1.0.conv1.weight": torch.zeros(60000, 1, 1, 1),
        },
    ],
)
def test_shapes_that_ask_for_endless_memory_or_work_are_refused(tmp_path, change):
    path = saved(tmp_path / "clip.pt", {**random_state(width=64, layers=1), **SCALARS, **change})
    before = peak_mib()
    refused(path)
    assert peak_mib() < before + 256


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


@pytest.mark.parametrize(
    "change, named",
    [
        ("not json", "not a configuration"),
        ([], "not a configuration"),
        ({"model_cfg": {"embed_dim": 16}}, "not a configuration"),
        ({"embed_dim": 10**12}, ""),
        ({"vision_cfg": {"layers": 10**9}}, "no CLIP has the layers"),
        ({"vision_cfg": {"layers": 2.5}}, "no CLIP has the layers"),
        ({"vision_cfg": {"image_size": 10**6, "patch_size": 1}}, "no CLIP has the image_size"),
        ({"vision_cfg": {"patch_size": 0}}, "no CLIP has the patch_size"),
        ({"vision_cfg": {"head_width": 7}}, "cannot build"),
        ({"vision_cfg": {"mlp_ratio": 1e30}}, "far larger network"),
        ({"vision_cfg": {"widht": 3}}, "cannot build"),
        ({"vision_cfg": {"timm_model_name": "hf-hub:evil/model"}}, "wants the tower 'hf-hub:evil/model'"),
        ({"text_cfg": {"context_length": 10**7}}, "no CLIP has the context_length"),
        ({"text_cfg": {"hf_model_name": "evil/model"}}, "wants the tower 'evil/model'"),
        ({"text_cfg": {"width": "../x"}}, "no CLIP has the width"),
        ({"text_cfg": {"width": 128}}, "do not fit"),
    ],
)
def test_a_configuration_beside_the_file_cannot_do_harm(tmp_path, monkeypatch, change, named):
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("the network was asked"))
    state = random_state(width=64, layers=1)
    path = saved(tmp_path / "clip.pt", {"state_dict": state})
    sidecar = change
    if isinstance(change, dict) and "model_cfg" not in change:
        model = clip_model(state)
        for key, value in change.items():
            model[key] = {**model[key], **value} if isinstance(value, dict) else value
        sidecar = {"model_cfg": model}
    text = change if isinstance(change, str) else json.dumps(sidecar)
    (tmp_path / "open_clip_config.json").write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(StyleT2IError) as caught:
            load_clip(path)
    line = str(caught.value)
    assert str(tmp_path) in line and "\n" not in line and named in line, line


def test_a_component_that_asks_for_endless_layers_is_refused(tmp_path):
    clip = tiny_clip()
    path = write_component(tmp_path, "clip", "clip", to_dict(clip.config), clip.state_dict())
    manifest = json.loads(path.read_text())
    del manifest["manifest_sha256"]
    manifest["config"]["model"]["text_cfg"]["layers"] = 10**9
    path.write_text(json.dumps(manifest))
    refused(path, "no CLIP has the layers")
