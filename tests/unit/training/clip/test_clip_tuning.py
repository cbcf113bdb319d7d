"""Which of CLIP's tensors a fine-tuning trains: the paper's list, and what the released script makes of it."""

import open_clip
import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.networks.clip.model import CLIP, CLIPConfig
from styleT2I.training.clip.tuning import train_only, tuned_names

TEXT = {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 2}
VIT = {"image_size": 32, "patch_size": 8, "width": 16, "head_width": 8, "layers": 3}
RESNET = {"image_size": 32, "layers": [1, 1, 1, 2], "width": 8}
BLOCK = (
    "ln_1.weight", "ln_1.bias", "attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj.weight",
    "attn.out_proj.bias", "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight",
    "mlp.c_proj.bias",
)  # fmt: skip


def tiny_clip(vision, **changes):
    model = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": TEXT, **changes}
    return CLIP(CLIPConfig(model=model, tokenizer={"kind": "none"}))


def text_part(prefix="model."):
    return {
        *(f"{prefix}transformer.resblocks.1.{name}" for name in BLOCK),
        f"{prefix}ln_final.weight", f"{prefix}ln_final.bias", f"{prefix}text_projection",
    }  # fmt: skip


def test_the_papers_tensors_of_a_vit_are_exactly_these():
    expected = text_part() | {f"model.visual.transformer.resblocks.2.{name}" for name in BLOCK}
    expected |= {"model.visual.ln_post.weight", "model.visual.ln_post.bias", "model.visual.proj", "model.logit_scale"}
    clip = tiny_clip(VIT)
    assert set(tuned_names(clip, "paper")) == expected
    train_only(clip, "paper")
    assert {name for name, parameter in clip.named_parameters() if parameter.requires_grad} == expected


def test_the_same_tensors_are_found_where_the_text_tower_is_a_submodule():
    names = set(tuned_names(tiny_clip(VIT, custom_text=True), "paper"))
    assert text_part("model.text.") <= names and len(names) == len(tuned_names(tiny_clip(VIT), "paper"))


def test_a_modified_resnet_trains_its_last_block_and_its_attention_pooling():
    clip = tiny_clip(RESNET)
    names = set(tuned_names(clip, "paper"))
    visual = {name for name in names if ".visual." in name}
    assert names - visual == text_part() | {"model.logit_scale"}
    assert all(name.startswith(("model.visual.layer4.1.", "model.visual.attnpool.")) for name in visual)
    assert {f"model.visual.layer4.1.{name}" for name, _ in clip.model.visual.layer4[1].named_parameters()} <= names
    assert {f"model.visual.attnpool.{name}" for name, _ in clip.model.visual.attnpool.named_parameters()} <= names
    train_only(clip, "paper")
    assert not clip.training  # the frozen layers' batch statistics stay those they were trained with


def test_release_reproduces_the_scripts_exhausted_generator():
    """The released script filters a chained generator twice; what its second pass adds is all that AdamW gets."""
    model = open_clip.CLIP(8, VIT, TEXT)
    visual, text = model.visual.transformer.resblocks[-1], model.transformer.resblocks[-1]
    modules = (visual, model.visual.ln_post, text, model.ln_final)
    blocks = (parameter for module in modules for parameter in module.parameters())
    first_pass = list(blocks)
    reaches_adamw = [*blocks, model.visual.proj, model.text_projection, model.logit_scale]
    by_id = {id(parameter): f"model.{name}" for name, parameter in model.named_parameters()}
    assert first_pass and {by_id[id(p)] for p in reaches_adamw} == set(tuned_names(tiny_clip(VIT), "release"))
    resnet = tuned_names(tiny_clip(RESNET), "release")
    prefix = "model.visual.attnpool.c_proj."
    assert set(resnet) == {f"{prefix}weight", f"{prefix}bias", "model.text_projection", "model.logit_scale"}


def test_all_is_every_parameter_in_training_mode():
    clip = tiny_clip(RESNET).freeze()
    train_only(clip, "all")
    assert clip.training and all(parameter.requires_grad for parameter in clip.parameters())


@pytest.mark.parametrize("vision", [VIT, RESNET])
def test_the_image_tower_alone_leaves_texts_and_temperature_as_they_are(vision):
    clip = tiny_clip(vision).freeze()
    train_only(clip, "image")
    trained = {name for name, parameter in clip.named_parameters() if parameter.requires_grad}
    assert trained == {f"model.visual.{name}" for name, _ in clip.model.visual.named_parameters()}
    assert clip.training


def test_towers_without_such_parts_are_refused():
    timm = tiny_clip({"timm_model_name": "test_vit", "timm_pool": "avg", "image_size": 32})
    with pytest.raises(ConfigError, match="use --tune all"):
        tuned_names(timm, "paper")
    assert torch.isfinite(timm(torch.zeros(1, 3, 32, 32), torch.ones(1, 8, dtype=torch.long))).all()
