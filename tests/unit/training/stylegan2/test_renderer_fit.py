import torch

from styleT2I.training.losses import pixel_fit_loss
from styleT2I.training.stylegan2.renderer_fit import RendererFit
from styleT2I.training.stylegan2.renderer_fit_config import RendererFitConfig
from tests.interrupted import run_whole_and_in_parts


def _config(steps, **settings):
    return RendererFitConfig(
        steps=steps,
        resolution=32,
        channels={4: 16, 8: 16, 16: 16, 32: 8},
        w_dim=32,
        mapping_layers=2,
        mapping_hidden_dim=32,
        batch=4,
        mapping_batch=16,
        **settings,
    )


def test_fitting_brings_the_drawn_scenes_closer_to_the_renderer():
    torch.manual_seed(0)
    task = RendererFit(_config(60, share_16=0.4, share_32=0.2, share_mapping=0.1, share_joint=0.1))
    task.setup(torch.device("cpu"))
    before = task.evaluate(0)["psnr_scene"]
    for step in range(60):
        task.step(step, torch.Generator().manual_seed(step))
    assert task.evaluate(60)["psnr_scene"] > before + 2


def test_a_resumed_fit_equals_an_uninterrupted_one(tmp_path):
    shares = {"share_16": 0.2, "share_32": 0.2, "share_mapping": 0.2, "share_joint": 0.2}
    folders = run_whole_and_in_parts(lambda: RendererFit(_config(10, **shares)), tmp_path, steps=10, stopped_at=5)
    weights = [(folder / "generator.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1]


def test_the_loss_is_zero_only_for_the_picture_itself():
    image = torch.rand(2, 3, 8, 8) * 2 - 1
    weight = torch.ones(2, 1, 8, 8)
    assert pixel_fit_loss(image, image, weight) == 0
    assert pixel_fit_loss(image + 0.1, image, 2 * weight) > pixel_fit_loss(image + 0.1, image, weight) > 0
