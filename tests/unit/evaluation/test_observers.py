"""Networks that the user brings: LPIPS trunks, Inception, face embedders; what is missing says where to put what."""

import hashlib

import numpy as np
import pytest
import torch

from styleT2I.errors import CheckpointError, UnsafeFileError
from styleT2I.evaluation.observers import inception
from styleT2I.evaluation.observers.face_embedder import EmbedderObserver
from styleT2I.inversion import lpips
from styleT2I.torch_utils.images import from_uint8
from styleT2I.torch_utils.seeding import generator
from tests.onnx_file import mean_colour_network


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """An empty cache of torch's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


def pictures_u8(num, size, seed=0):
    return torch.randint(256, (num, 3, size, size), dtype=torch.uint8, generator=generator("pictures", seed))


@pytest.fixture(scope="module")
def lpips_alex():
    """The package's network over a random trunk."""
    torch.manual_seed(0)
    return lpips.build_lpips("alex", None)


def trunk_state(network):
    """The trunk's weights under torchvision's names."""
    return {f"features.{name.partition('.')[2]}": tensor for name, tensor in network.net.state_dict().items()}


@torch.no_grad()
def test_lpips_is_zero_for_equal_pictures_and_symmetric(lpips_alex):
    first, second = (from_uint8(pictures_u8(3, 64, seed)) for seed in (1, 2))
    assert lpips_alex(first, first).abs().max() == 0
    assert torch.equal(lpips_alex(first, second), lpips_alex(second, first))
    assert (lpips_alex(first, second) > 0).all()


@torch.no_grad()
def test_lpips_equals_its_definition(lpips_alex):
    first, second = (from_uint8(pictures_u8(2, 64, seed)) for seed in (3, 4))
    expected = torch.zeros(2)
    layers = [lpips_alex.net(lpips_alex.scaling_layer(image)) for image in (first, second)]
    for a, b, lin in zip(*layers, lpips_alex.lins, strict=True):
        a, b = (x / x.square().sum(dim=1, keepdim=True).sqrt() for x in (a, b))
        weight = lin.model[-1].weight[0]  # [C, 1, 1]
        expected += (weight * (a - b).square()).sum(dim=1).mean(dim=(1, 2))
    torch.testing.assert_close(lpips_alex(first, second).flatten(), expected, rtol=1e-4, atol=1e-6)


def test_a_trunk_is_read_from_torchvisions_file_by_its_names_and_hash(lpips_alex, torch_home, monkeypatch):
    path = torch_home / "alexnet-owt-0.pth"
    torch.save(trunk_state(lpips_alex), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    name = f"alexnet-owt-{digest[:8]}.pth"
    path.rename(torch_home / name)
    monkeypatch.setitem(lpips.TRUNKS, "alex", name)
    found = lpips.Lpips("alex", side=40)
    first, second = pictures_u8(2, 64, 5), pictures_u8(2, 64, 6)
    assert found.size == 64 and found.trunk_sha256 == digest and len(found.sha256) == 64
    with torch.no_grad():
        expected = lpips_alex(from_uint8(first), from_uint8(second)).flatten()
    torch.testing.assert_close(found(first, second), expected)
    torch.save({"features.0.weight": torch.zeros(1)}, torch_home / name)
    with pytest.raises(CheckpointError, match="not the published weights"):
        lpips.Lpips("alex", side=64)


@pytest.mark.parametrize("state", [{}, {"features.0.weight": torch.zeros(2)}])
def test_a_file_without_the_trunk_is_refused(state):
    with pytest.raises(CheckpointError, match="file: holds no trunk 'alex'"):
        lpips.build_lpips("alex", state, "file")


@pytest.mark.parametrize("trunk, file", [("alex", "alexnet-owt-7be5be79.pth"), ("vgg", "vgg16-397923af.pth")])
def test_a_missing_trunk_says_which_file_from_where_and_where_to(trunk, file, torch_home):
    with pytest.raises(CheckpointError) as error:
        lpips.Lpips(trunk, side=64)
    assert str(torch_home / file) in str(error.value)
    assert f"https://download.pytorch.org/models/{file}" in str(error.value)
    torchvision = pytest.importorskip("torchvision")
    published = {"alex": torchvision.models.AlexNet_Weights, "vgg": torchvision.models.VGG16_Weights}[trunk]
    assert published.IMAGENET1K_V1.url.endswith(file)


def test_missing_inception_weights_say_which_file_from_where_and_where_to(torch_home):
    with pytest.raises(CheckpointError) as error:
        inception.InceptionObserver()
    assert str(torch_home / inception.FILE) in str(error.value) and inception.URL in str(error.value)
    (torch_home / inception.FILE).write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="not the published weights"):
        inception.InceptionObserver()


@pytest.fixture
def random_inception(torch_home, monkeypatch):
    """torch-fidelity's network with random weights, and the same weights where the published ones belong."""
    module = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason="the extra 'metrics' is not installed"
    )
    assert module.URL_INCEPTION_V3 == inception.URL
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        network = module.FeatureExtractorInceptionV3("test", ["2048", "logits_unbiased"], "file")
    torch.save(network.state_dict(), torch_home / inception.FILE)
    digest = hashlib.sha256((torch_home / inception.FILE).read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "SHA256_START", digest[:8])
    return network


def test_inception_gives_torch_fidelitys_features_from_a_file_that_is_never_unpickled(random_inception, torch_home):
    found, images = inception.InceptionObserver(), pictures_u8(2, 299)
    seen = found(images)
    features, logits = random_inception(images)
    assert torch.equal(seen["features"], features) and features.shape == (2, 2048)
    torch.testing.assert_close(seen["probabilities"], logits.double().softmax(dim=1))
    assert found.versions["torch-fidelity"] and len(found.sha256) == 64

    class Hostile:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"weight": Hostile()}, torch_home / inception.FILE)
    digest = hashlib.sha256((torch_home / inception.FILE).read_bytes()).hexdigest()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(UnsafeFileError):
        patch.setattr(inception, "SHA256_START", digest[:8])
        inception.InceptionObserver()


@pytest.mark.parametrize("batch", [None, 4])
def test_an_embedder_is_given_rgb_in_minus_one_to_one(batch, tmp_path):
    pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    path = tmp_path / "face.onnx"
    path.write_bytes(mean_colour_network(size=12, batch=batch))
    found, images = EmbedderObserver(path), pictures_u8(6, 12)
    assert found.size == 12 and found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    expected = (images.double() / 127.5 - 1).mean(dim=(2, 3))
    np.testing.assert_allclose(found(images)["features"].numpy(), expected.numpy(), atol=1e-6)


def test_an_embedder_that_is_none_is_one_line(tmp_path):
    pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    with pytest.raises(CheckpointError, match="no such file"):
        EmbedderObserver(tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(CheckpointError, match="not an ONNX file"):
        EmbedderObserver(tmp_path / "text.onnx")
    (tmp_path / "grey.onnx").write_bytes(mean_colour_network(size=12, channels=1))
    with pytest.raises(CheckpointError, match="not one input"):
        EmbedderObserver(tmp_path / "grey.onnx")
