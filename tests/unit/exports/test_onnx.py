"""ONNX files of a model, run with onnxruntime and numpy alone: the same images as the pipeline's."""

import json
import re

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from styleT2I.errors import ConfigError, OutputError
from styleT2I.exports import onnx as exports
from styleT2I.exports.onnx import export_onnx
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.networks.directions import GruTextConfig
from tests.tiny_model import tiny_a2d, tiny_clip, tiny_generator, tiny_t2d, write_tiny_model

PSI = 0.7
GRU = GruTextConfig(("he", "hat"), embedding_dim=4, hidden_dim=8)
TEXT = "He's wearing lipstick, and a hat!"


@pytest.fixture(scope="module")
def pipeline():
    return StyleT2I.from_pretrained("minifaces", device="cpu")


@pytest.fixture(scope="module")
def folder(pipeline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "new"
    export_onnx(pipeline, folder)
    return folder


def opened(folder):
    """The manifest, and a function that runs a graph by its inputs."""
    manifest = json.loads((folder / "onnx.json").read_text())
    sessions = {
        name: onnxruntime.InferenceSession(folder / graph["file"], providers=["CPUExecutionProvider"])
        for name, graph in manifest["graphs"].items()
    }
    return manifest, lambda name, **inputs: sessions[name].run(None, inputs)[0]


def normal_rows(seeds, size):
    return np.stack([torch.randn(size, generator=torch.Generator().manual_seed(seed)).numpy() for seed in seeds])


def ids_of(text, tokenizer):
    """Token ids by what docs/onnx.md says of a word tokenizer, for a sentence with one contraction of "is"."""
    words = tokenizer["words"]
    spoken = re.findall(r"[a-z]+", text.lower().replace("he's", "he is"))
    ids = [len(words) + 2, *(words.index(word) + 2 if word in words else 1 for word in spoken), len(words) + 3]
    return np.array([ids + [0] * (tokenizer["context_length"] - len(ids))], dtype=np.int64)


def to_u8(images):
    return np.clip(np.round((images + 1) * 127.5), 0, 255).astype(int)


@pytest.mark.parametrize("num", [1, 5])
def test_without_pytorch_a_sentence_gives_the_pipelines_images(pipeline, folder, num):
    manifest, run = opened(folder)
    ws = run("mapping", z=normal_rows(range(num), manifest["z_dim"]), psi=np.array([PSI], dtype=np.float32))
    features = run("text", ids=ids_of(TEXT, manifest["tokenizer"])).repeat(num, axis=0)
    s = run("t2d", w=ws[:, 0], features=features)
    result = pipeline.generate(TEXT, range(num), truncation_psi=PSI, adjustment=None)
    assert np.abs(to_u8(run("synthesis", ws=ws)) - result.unedited_u8.numpy()).max() <= 2
    assert np.abs(to_u8(run("synthesis", ws=ws + s)) - result.images_u8.numpy()).max() <= 2
    assert np.abs(result.images_u8.numpy().astype(int) - result.unedited_u8.numpy()).max() > 50


@pytest.mark.parametrize("strength", [1, -1])
def test_without_pytorch_an_attribute_is_edited_as_by_the_pipeline(pipeline, folder, strength):
    manifest, run = opened(folder)
    attribute = manifest["attributes"]["eyeglasses"]
    assert attribute["phrase"] == "wearing eyeglasses"
    ws = run("mapping", z=normal_rows([3, 4], manifest["z_dim"]), psi=np.array([PSI], dtype=np.float32))
    a = run("a2d", w=ws.mean(axis=1), features=np.array([attribute["features"]] * 2, dtype=np.float32))
    step = strength * attribute["strengths"]["true" if strength > 0 else "false"]
    moved = ws + step * a / np.linalg.norm(a.reshape(2, -1), axis=1)[:, None, None]
    expected = pipeline.edit([3, 4], {"eyeglasses": strength}, truncation_psi=PSI).images_u8.numpy()
    assert np.abs(to_u8(run("synthesis", ws=moved.astype(np.float32))) - expected).max() <= 2


def test_the_manifest_tells_files_sizes_and_errors(pipeline, folder):
    manifest, _ = opened(folder)
    assert {path.name for path in folder.iterdir()} == {*manifest["files"], "onnx.json"}
    assert set(manifest["graphs"]) == {"mapping", "synthesis", "text", "t2d", "a2d"}
    for graph in manifest["graphs"].values():
        assert graph["error"] <= 1e-5
        model = onnx.load(folder / graph["file"])
        onnx.checker.check_model(model, full_check=True)
        assert model.opset_import[0].version == manifest["opset"] == 17
        assert [given.name for given in model.graph.input] == graph["inputs"]
    assert manifest["model"] == pipeline.model.describe()
    assert sum(path.stat().st_size for path in folder.glob("*.onnx")) < 6e6  # 2.7 million weights, two bytes each


@pytest.mark.parametrize("without", [("a2d",), ("t2d", "a2d"), ("t2d", "a2d", "clip")])
def test_a_model_with_fewer_networks_gives_fewer_files(tmp_path, without):
    pipeline = StyleT2I.from_pretrained(write_tiny_model(tmp_path / "model", without=without), device="cpu")
    graphs = export_onnx(pipeline, tmp_path / "out")["graphs"]
    left = {"mapping", "synthesis"} | ({"text"} - {"text" for role in without if role == "clip"})
    assert set(graphs) == left | ({"t2d", "a2d"} - set(without))


@pytest.mark.parametrize(
    "changes, named",
    [({"generator": {"c_dim": 3}}, "labels"), ({"t2d": {"text_encoder": GRU}}, "GRU")],
)
def test_what_cannot_be_exported_is_refused_before_anything_is_written(tmp_path, changes, named):
    parts = {"generator": tiny_generator, "t2d": tiny_t2d, "a2d": tiny_a2d}
    built = {role: make(**changes.get(role, {})) for role, make in parts.items()}
    pipeline = StyleT2I.from_components(**built, clip=tiny_clip(), vocabulary="minifaces", device="cpu")
    with pytest.raises(ConfigError, match=named):
        export_onnx(pipeline, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_result_that_differs_leaves_nothing_behind(tmp_path, monkeypatch):
    pipeline = StyleT2I.from_pretrained(write_tiny_model(tmp_path / "model"), device="cpu")
    written = exports.stored_in_half

    def damaged(data):
        model = onnx.load_from_string(written(data))
        weight = max(model.graph.initializer, key=lambda tensor: np.prod(tensor.dims))
        values = onnx.numpy_helper.to_array(weight).copy()
        values.flat[0] += 1
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        return model.SerializeToString()

    monkeypatch.setattr(exports, "stored_in_half", damaged)
    with pytest.raises(OutputError, match="from PyTorch's"):
        export_onnx(pipeline, tmp_path / "out")
    assert not (tmp_path / "out").exists()
