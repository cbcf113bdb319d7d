"""The pipeline: a seed's picture does not depend on its company, parts must fit, sentences are checked first."""

import json
import warnings

import pytest
import torch

from styleT2I import StyleT2I
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.errors import CheckpointError, ConfigError, OutputError, PromptError
from styleT2I.generation import directions
from styleT2I.generation.adjustment import METHODS, AdjustmentConfig, adjust
from styleT2I.networks.directions import NullSpace
from styleT2I.torch_utils.images import encode_png
from styleT2I.torch_utils.seeding import latents_of_seeds
from tests.tiny_model import tiny_a2d, tiny_clip, tiny_generator, tiny_judge, tiny_t2d, write_tiny, write_tiny_model

TEXT = "he is wearing lipstick"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def pipeline(folder):
    return StyleT2I.from_pretrained(folder, device="cpu")


def png_of(result, seed):
    return encode_png(result.images_u8[result.seeds.index(seed)].permute(1, 2, 0).numpy())


@pytest.mark.parametrize("noise_mode", ["const", "random"])
def test_the_png_of_a_seed_is_the_same_in_any_company(pipeline, noise_mode):
    alone = png_of(pipeline.generate(TEXT, [7], noise_mode=noise_mode), 7)
    for company in (range(8), [100, 7, 3], list(range(20, 40)) + [7], [7] + list(range(50, 61))):
        assert png_of(pipeline.generate(TEXT, company, noise_mode=noise_mode), 7) == alone


def test_generate_is_the_flow_of_the_paper(pipeline):
    G, clip, t2d = (pipeline.model.network(role) for role in ("generator", "clip", "t2d"))
    result = pipeline.generate(TEXT, [4], truncation_psi=0.5, adjustment=None)
    z = torch.randn(8, generator=torch.Generator().manual_seed(4)).unsqueeze(0)
    w = G.mapping.w_avg + 0.5 * (G.mapping(z)[:, 0] - G.mapping.w_avg)
    ws = w.unsqueeze(1) + t2d(w, clip.encode_text([TEXT]))
    image = ((G.synthesis(ws, noise_mode="const") + 1) * 127.5).round().clamp(0, 255)
    torch.testing.assert_close(result.ws, ws, rtol=1e-4, atol=1e-5)
    assert (result.images_u8.float() - image).abs().max() <= 1
    unedited = ((G.synthesis(w.unsqueeze(1).expand_as(ws), noise_mode="const") + 1) * 127.5).round().clamp(0, 255)
    assert (result.unedited_u8.float() - unedited).abs().max() <= 1
    assert (result.unedited_u8 != result.images_u8).any()


def test_the_papers_adjustment_adds_a_unit_step_along_every_attribute_that_points_away(pipeline):
    clip, t2d, a2d = (pipeline.model.network(role) for role in ("clip", "t2d", "a2d"))
    ws = pipeline.latents(range(6))
    prompt = pipeline.understand("a man without a beard")
    result = pipeline.directions(ws, [prompt] * 6, AdjustmentConfig("paper"))
    s = t2d(ws[:, 0], clip.encode_text([prompt.text]).expand(6, -1))
    expected = s.clone()
    for phrase, sign in (("a man", 1), ("a beard", -1)):  # the affirmative phrase; what is denied enters as -a
        a = sign * a2d(ws[:, 0], clip.encode_text([phrase]).expand(6, -1))
        for row in range(6):
            if (a[row] * s[row]).sum() <= 0:
                expected[row] += a[row] / a[row].norm()
    torch.testing.assert_close(result.s_adjusted, expected, rtol=1e-4, atol=1e-5)
    assert result.names == ("he", "beard") and (result.s_adjusted != result.s).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_latents_direction_does_not_depend_on_the_other_latents_and_sentences(pipeline, method):
    prompts = [pipeline.understand(text) for text in ("he is smiling", "a woman with no hat", "an old man", "a face")]
    prompts = [prompts[row % 4] for row in range(10)]
    ws, config = pipeline.latents(range(10)), AdjustmentConfig(method, num_looks=3)
    together = pipeline.directions(ws, prompts, config)
    for row in (0, 5, 9):
        alone = pipeline.directions(ws[row : row + 1], prompts[row : row + 1], config)
        torch.testing.assert_close(alone.s_adjusted[0], together.s_adjusted[row], rtol=0, atol=1e-6)


def test_hold_takes_from_every_direction_what_would_move_the_surroundings(folder):
    pipeline, text = StyleT2I.from_pretrained(folder, device="cpu"), "he is wearing lipstick"
    a2d = pipeline.model.network("a2d")
    without = pipeline.generate(text, seeds=[5])
    response = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    a2d.set_null_space(NullSpace.of(response, torch.eye(8)))

    def moved(**settings):
        result = pipeline.generate(text, seeds=[5], adjustment=AdjustmentConfig(**settings))
        return torch.einsum("nld,kld->nk", result.ws - unedited, response).abs().max().item(), result

    unedited = pipeline.model.network("generator").mapping(latents_of_seeds([5], 8), truncation_psi=0.7)
    held, _ = moved(method="hold")
    let, result = moved(method="hold", keep_surroundings=False)
    assert held < 0.01 * let and torch.equal(result.images_u8, without.images_u8)
    assert moved(method="recheck")[0] > 0.1 * let  # the other methods are as they were


def test_a_verdict_is_as_clear_as_the_model_says_unless_the_user_does(pipeline, monkeypatch):
    info, seen = pipeline.model.info, []

    def seeing(*given, **named):
        seen.append(given[3].clarity)
        return adjust(*given, **named)

    monkeypatch.setattr(directions, "adjust", seeing)
    pipeline.generate(TEXT, [0])
    monkeypatch.setattr(pipeline.model, "info", lambda role: {**info(role), "clarity": 2.5})
    assert pipeline.generate(TEXT, [0]).adjustment.clarity == 2.5
    pipeline.directions(pipeline.latents([0]), [pipeline.understand(TEXT)], AdjustmentConfig())
    pipeline.generate(TEXT, [0], adjustment=AdjustmentConfig(clarity=0.5))
    assert list(dict.fromkeys(seen)) == [0.6, 2.5, 0.5] and seen.count(2.5) >= 2


def test_generate_adjusts_by_default_and_says_so(pipeline):
    result = pipeline.generate(TEXT, [1, 2])
    assert result.adjustment == AdjustmentConfig(clarity=0.6)
    record = result.to_dict()
    assert record["adjustment"]["method"] == AdjustmentConfig().method
    assert [(one["name"], one["value"], one["region"]) for one in record["found"]] == [
        ("he", True, None), ("lipstick", True, "mouth"),
    ]  # fmt: skip
    assert [image["seed"] for image in record["images"]] == [1, 2]
    for image in record["images"]:
        assert set(image["attributes"]) == {"he", "lipstick"} and not image["held"].keys() & {"he", "lipstick"}
        for one in (*image["attributes"].values(), *image["held"].values()):
            assert set(one) == {"cosine", "adjusted", "step", "clip_margin", "judge_margin"}
            assert one["adjusted"] == (one["step"] != 0)


def test_margins_in_the_record_are_those_of_the_pictures_before_and_after(pipeline):
    judge, G = pipeline.model.network("judges.guide"), pipeline.model.network("generator")
    result = pipeline.generate("she is wearing a hat", range(3))
    (hat,) = (found for found in result.attributes if found.name == "hat")
    column = judge.attribute_names.index("hat")
    after = judge(G.synthesis(result.ws, noise_mode="const").clamp(-1, 1))[:, column]
    torch.testing.assert_close(hat.margins["judge"][1], after, rtol=1e-3, atol=1e-4)
    alone = pipeline.generate("she is wearing a hat", range(3), adjustment=None)
    before = judge(G.synthesis(alone.ws, noise_mode="const").clamp(-1, 1))[:, column]
    torch.testing.assert_close(hat.margins["judge"][0], before, rtol=1e-3, atol=1e-4)
    (unadjusted,) = (found for found in alone.attributes if found.name == "hat")
    assert torch.equal(unadjusted.cosine, hat.cosine) and not unadjusted.step.any()
    torch.testing.assert_close(unadjusted.margins["clip"][1], hat.margins["clip"][0], rtol=1e-3, atol=1e-3)


def test_a_model_without_a2d_draws_without_adjustment_and_warns_only_if_one_was_asked_for(folder, tmp_path, recwarn):
    bare = StyleT2I.from_pretrained(write_tiny_model(tmp_path, without=("a2d", "judges.guide")), device="cpu")
    plain = bare.generate(TEXT, [3])
    assert plain.adjustment is None and not recwarn.list
    assert plain.to_dict()["images"][0]["attributes"]["he"]["cosine"] is None
    with pytest.warns(UserWarning, match="no Attribute-to-Direction network"):
        asked = bare.generate(TEXT, [3], adjustment=AdjustmentConfig("paper"))
    assert torch.equal(asked.images_u8, plain.images_u8)
    with pytest.raises(CheckpointError, match="styleT2I.train_a2d --generator"):
        bare.directions(bare.latents([0]), [bare.understand(TEXT)], AdjustmentConfig())
    full = StyleT2I.from_pretrained(folder, device="cpu").generate(TEXT, [3], adjustment=None)
    assert torch.equal(full.images_u8, plain.images_u8)


def test_a_sentence_is_encoded_once_however_often_it_stands_in_a_batch(pipeline, monkeypatch):
    clip, encoded = pipeline.model.network("clip"), []
    real = clip.encode_text
    monkeypatch.setattr(clip, "encode_text", lambda texts: encoded.extend(texts) or real(texts))
    prompts = [pipeline.understand(text) for text in ("he smiles", "she smiles")] * 5
    pipeline.directions(pipeline.latents(range(10)), prompts)
    assert sorted(encoded) == ["he smiles", "she smiles"]


def test_the_latent_of_a_seed_comes_from_a_cpu_generator_of_that_seed_alone():
    z = latents_of_seeds([5, 2**40], 3)
    assert torch.equal(z[1], torch.randn(3, generator=torch.Generator().manual_seed(2**40)))


def test_the_result_holds_what_is_needed_to_make_it_again(pipeline, folder):
    record = pipeline.generate(TEXT, [1, 5], truncation_psi=0.6).to_dict()
    assert json.loads(json.dumps(record)) == record
    assert (record["text"], record["seeds"], record["truncation_psi"]) == (TEXT, [1, 5], 0.6)
    assert record["attributes"] == {"he": True, "lipstick": True}
    manifest = json.loads((folder / "model.json").read_text())["components"]
    assert record["model"]["components"]["t2d"] == manifest["t2d"]["sha256"]
    assert {"styleT2I", "torch", "python"} <= record["versions"].keys()


def test_the_grid_stands_unedited_faces_above_their_edits(pipeline):
    result = pipeline.generate(TEXT, range(3))
    grid = result.grid_u8(ncol=2)
    size = 192 + 2  # a 16 px face twelve times enlarged, and the border
    assert grid.shape == (3, 4 * size + 2, 2 * size + 2)
    face = grid[:, 2 + size : 2 + size + 192, 2 : 2 + 192]  # second row, first column: the edit of the first seed
    shrunk = torch.nn.functional.avg_pool2d(face.float(), 12)
    assert (shrunk - result.images_u8[0].float()).abs().mean() < (shrunk - result.unedited_u8[0].float()).abs().mean()
    assert (grid[:, 2 + 2 * size : 4 * size, 2 + size :] == 255).all()  # the empty place beside the third seed


def test_parts_given_in_memory_draw_what_the_folder_draws(pipeline):
    parts = StyleT2I.from_components(
        generator=tiny_generator(), clip=tiny_clip(), t2d=tiny_t2d(), a2d=tiny_a2d(), vocabulary="minifaces",
        device="cpu", **{"judges.guide": tiny_judge()},
    )  # fmt: skip
    assert torch.equal(parts.generate(TEXT, [3]).images_u8, pipeline.generate(TEXT, [3]).images_u8)


def test_save_pretrained_round_trips(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "copy")
    again = StyleT2I.from_pretrained(tmp_path / "copy", device="cpu")
    assert again.model.vocabulary is load_vocabulary("minifaces")
    assert torch.equal(again.generate(TEXT, [3]).images_u8, pipeline.generate(TEXT, [3]).images_u8)


def test_half_precision_halves_the_weights_and_keeps_the_faces(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "full")
    pipeline.save_pretrained(tmp_path / "half", half=True)
    sizes = [(tmp_path / kind / "clip.safetensors").stat().st_size for kind in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    drawn = StyleT2I.from_pretrained(tmp_path / "half", device="cpu").generate(TEXT, [3]).images_u8
    assert (drawn.float() - pipeline.generate(TEXT, [3]).images_u8.float()).abs().max() <= 4


def test_a_model_without_t2d_names_the_command_that_trains_one(tmp_path):
    folder = write_tiny_model(tmp_path / "bare", without=("t2d",))
    with pytest.raises(CheckpointError, match=r"python -m styleT2I.train_t2d --generator .*generator.json --clip"):
        StyleT2I.from_pretrained(folder, device="cpu").generate(TEXT)


def test_a_replaced_generator_leaves_the_models_directions_behind(folder, tmp_path):
    other = write_tiny(tmp_path, "other", tiny_generator(w_dim=6))
    with pytest.raises(CheckpointError, match=f"train_t2d --generator {other}"):
        StyleT2I.from_pretrained(folder, device="cpu", generator=other).generate(TEXT)
    with pytest.raises(CheckpointError, match="steers that model's own generator.*--t2d"):
        StyleT2I.from_pretrained(folder, device="cpu", generator=tiny_generator()).generate(TEXT)


def test_parts_that_do_not_fit_are_refused_by_name(folder, tmp_path):
    t2d = write_tiny(tmp_path, "t2d", tiny_t2d(num_ws=10), clip_name="tiny-clip")
    with pytest.raises(CheckpointError, match="num_ws 10|num_ws 6"):
        StyleT2I.from_pretrained(folder, device="cpu", t2d=t2d).generate(TEXT)
    t2d = write_tiny(tmp_path, "t2d", tiny_t2d(), clip_name="another-clip")
    with pytest.raises(CheckpointError, match="another-clip"):
        StyleT2I.from_pretrained(folder, device="cpu", t2d=t2d).generate(TEXT)


def test_a_component_in_the_wrong_role_is_refused(folder, tmp_path):
    parts = StyleT2I.from_components(generator=folder / "clip.json", clip=folder / "clip.json", t2d=folder / "t2d.json")
    with pytest.raises(CheckpointError, match="is a 'clip', but the generator"):
        parts.generate(TEXT)


def test_an_unknown_role_is_refused(folder):
    with pytest.raises(ConfigError, match="unknown component 'judge'"):
        StyleT2I.from_pretrained(folder, judge=folder / "judges_guide.json")


def test_a_role_that_the_model_lacks_is_named(pipeline):
    with pytest.raises(CheckpointError, match="no segmenter; it has generator"):
        pipeline.model.network("segmenter")


def test_a_conditional_generator_is_refused_with_the_reason():
    parts = StyleT2I.from_components(generator=tiny_generator(c_dim=3), clip=tiny_clip(), t2d=tiny_t2d(), device="cpu")
    with pytest.raises(ConfigError, match="c_dim 3"):
        parts.generate(TEXT)


@pytest.mark.parametrize("seeds", [[], [-1], [1.5], ["1"], [2**63]])
def test_bad_seeds_are_refused(pipeline, seeds):
    with pytest.raises(ConfigError):
        pipeline.generate(TEXT, seeds)


def test_an_unknown_word_is_a_warning_with_the_nearest_known_one(pipeline):
    prompt = pipeline.understand("he is wearing lipstik")
    assert prompt.attributes == {"he": True, "lipstick": True}
    assert prompt.warnings == ('"lipstik" is read as "lipstick"; the text network does not know it',)
    with pytest.raises(PromptError, match="lipstik"):
        pipeline.understand("he is wearing lipstik", strict=True)


@pytest.mark.parametrize("text", ["", " \n\t", "?!", "xyzzy plugh", "a dinosaur on a bicycle", "\u4f60\u597d", "\x00"])
def test_a_text_of_which_nothing_is_understood_is_refused(pipeline, text):
    with pytest.raises(PromptError) as caught:
        pipeline.understand(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["he " * 30, "he " * 2000])
def test_an_overlong_text_is_refused(pipeline, text):
    with pytest.raises(PromptError, match="shorten it"):
        pipeline.understand(text)


def test_a_plain_sentence_without_attributes_is_accepted(pipeline):
    prompt = pipeline.understand("a photo of a person")
    assert (prompt.attributes, prompt.warnings) == ({}, ())


def test_a_contradiction_is_a_warning(pipeline):
    assert "contradicts itself" in pipeline.understand("he is a woman with a beard").warnings[0]


def test_the_hint_for_a_word_is_that_of_the_attributes_command(pipeline):
    warnings = pipeline.understand("he is waering lipstik in Berlin").warnings
    assert '"waering" is read as "wearing"; the text network does not know it' in warnings
    assert '"berlin" is not known and is ignored' in warnings
    other = pipeline.understand("he is wearing lipstick with a friend from Berlin").warnings
    assert [line for line in other if "another person" in line and "with a friend from Berlin" in line]


def test_what_is_doubtful_in_a_text_is_a_python_warning_once(pipeline):
    with pytest.warns(UserWarning, match='is read as "lipstick"') as caught:
        pipeline.generate("he is wearing lipstik", [0])
    assert len(caught) == 1 and caught[0].filename == __file__
    prompt = pipeline.understand("he is wearing lipstik")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline.generate(prompt, [0])  # whoever made the Prompt has its warnings


def test_an_adjustment_may_be_a_methods_name(pipeline):
    named = pipeline.generate(TEXT, [0], adjustment="paper")
    assert named.adjustment == AdjustmentConfig("paper", clarity=0.6)
    assert torch.equal(named.ws, pipeline.generate(TEXT, [0], adjustment=AdjustmentConfig("paper")).ws)


@pytest.mark.parametrize(
    "arguments, named",
    [
        ({"adjustment": "hodl"}, "hold"),
        ({"adjustment": 1}, "AdjustmentConfig"),
        ({"truncation_psi": -1}, "truncation_psi is -1"),
        ({"truncation_psi": 9}, "truncation_psi is 9"),
        ({"truncation_psi": "0.7"}, "truncation_psi is '0.7'"),
        ({"noise_mode": "loud"}, "noise mode 'loud'"),
    ],
)
def test_python_arguments_are_checked_as_the_commands_are(pipeline, arguments, named):
    with pytest.raises(ConfigError, match=named):
        pipeline.generate(TEXT, [0], **arguments)


@pytest.mark.parametrize("text", [["he smiles", "she smiles"], None, 7])
def test_a_text_that_is_no_string_is_refused_with_the_way_to_draw_several(pipeline, text):
    with pytest.raises(PromptError, match="one sentence, a string, at a time"):
        pipeline.generate(text)


def test_a_setting_of_the_adjustment_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match="strength of the adjustment is '1'"):
        AdjustmentConfig(strength="1")


def test_a_gan_of_another_kind_points_to_what_draws_with_it():
    with pytest.raises(ConfigError, match="open_system.'dfgan'"):
        StyleT2I.from_pretrained("dfgan", device="cpu")


def test_a_pipeline_and_its_results_have_a_short_form(pipeline):
    assert repr(pipeline).startswith("<StyleT2I 'tiny' on cpu: ") and "t2d" in repr(pipeline)
    result = pipeline.generate(TEXT, [3, 7])
    assert repr(result) == f"<Result of {TEXT!r}: 2 images of 16x16>"
    assert repr(pipeline.edit(5, {"hat": -1})) == "<EditResult of hat -1: 1 image of 16x16>"


def test_a_result_is_handed_out_as_pil_and_saved_as_the_command_saves_it(pipeline, tmp_path):
    result = pipeline.generate(TEXT, [3, 7])
    assert [image.size for image in result.images] == [(16, 16)] * 2 and result.images[0].mode == "RGB"
    folder = result.save(tmp_path / "out")
    names = ["generate.json", "grid.png", "seed0003.png", "seed0007.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert (folder / "seed0007.png").read_bytes() == png_of(result, 7)
    assert json.loads((folder / "generate.json").read_text()) == {**result.to_dict(), "files": names[1:]}
    other = pipeline.generate(TEXT, [4])
    with pytest.raises(OutputError, match="holds another result"):
        other.save(folder)
    assert result.save(folder) == folder == other.save(folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ["generate.json", "grid.png", "seed0004.png"]
    edited = pipeline.edit(result.ws, {"hat": 1}).save(tmp_path / "edited")
    assert sorted(path.name for path in edited.iterdir()) == ["0000.png", "0001.png", "edit.json", "grid.png"]
