"""A row follows from its sentence and seed alone, at sizes where a processor's libraries split sums by place.

Inner dimensions that are no multiple of 4 put a batch's rows at addresses of different alignment, at which MKL rounds
otherwise; so these are the sizes to try, alone and in company, in any order and with any number of threads.
"""

import contextlib

import pytest
import torch

from styleT2I.baselines.config import GanIntClsConfig, StyleEncoderConfig
from styleT2I.baselines.gan_int_cls import GanIntClsGenerator, StyleEncoder
from styleT2I.evaluation.suites.style import StyleReader
from styleT2I.formats.model_folder import ROLES
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.systems.interface import StyleT2ISystem, open_system
from styleT2I.networks.registry import network_class
from styleT2I.torch_utils.batching import rows_alone
from tests.tiny_model import tiny_a2d, tiny_clip, tiny_generator, tiny_judge, tiny_strengths, tiny_t2d
from tests.tiny_systems import write_system

SENTENCES = ("she is smiling", "he is wearing glasses and a hat", "a hat")
NUM = 8
NASTY = {  # inputs and widths of one, two and three floats beyond a multiple of four
    "gan_int_cls": [{"z_dim": 7, "cond_dim": 3, "widths": (7, 5)}, {"z_dim": 9, "cond_dim": 5, "widths": (11, 3)}],
    "stackgan": [{"z_dim": 5, "cond_dim": 6, "widths": (9, 7)}, {"z_dim": 4, "cond_dim": 7, "widths": (6, 5)}],
    "attngan": [{"z_dim": 5, "cond_dim": 6, "width": 3}, {"z_dim": 6, "cond_dim": 3, "width": 5}],
    "dfgan": [
        {"z_dim": z_dim, "widths": widths}
        for z_dim, widths in ((3, (6, 6, 4)), (5, (11, 7, 3)), (6, (5, 9, 2)), (50, (6, 10, 6)))
    ],
}
CASES = [(role, changes) for role, several in NASTY.items() for changes in several]
METHODS = (None, "none", "paper", "calibrated", "recheck", "hold")


@contextlib.contextmanager
def threads(num):
    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def nasty_pipeline(w_dim=11, z_dim=7, hidden_dim=13):
    """A StyleT2I whose every inner dimension is no multiple of four."""
    sizes = {"w_dim": w_dim, "hidden_dim": hidden_dim}
    parts = {
        "generator": tiny_generator(z_dim=z_dim, w_dim=w_dim, channel_max=7),
        "t2d": tiny_t2d(**sizes),
        "a2d": tiny_a2d(**sizes),
        "clip": tiny_clip(),
        "judges.guide": tiny_judge(),
    }
    return StyleT2I.from_components(**parts, vocabulary="minifaces", device="cpu")


def check_rows(draw):
    """draw(rows) gives a row's picture: alone, and wherever it stands among others."""
    together = draw(list(range(NUM)))
    for order in ([5, 6, 7, 4, 3, 2, 1, 0], [5], [2, 5]):
        drawn = draw(order)
        for place, row in enumerate(order):
            assert torch.equal(drawn[place], together[row]), f"row {row} at place {place} of {len(order)}"


@pytest.mark.parametrize("role, changes", CASES, ids=[f"{role} {number}" for number, (role, _) in enumerate(CASES)])
def test_a_text_gans_row_is_the_same_in_any_company(tmp_path, role, changes):
    gan = open_system(write_system(tmp_path, role, **changes), device="cpu")
    prompts = [gan.understand(SENTENCES[row % 3]) for row in range(NUM)]
    for num_threads in (1, 2) if role == "dfgan" else (1,):
        with threads(num_threads):
            check_rows(lambda rows: gan.sample([prompts[row] for row in rows], rows))


@pytest.mark.parametrize("method", METHODS)
def test_stylet2is_row_is_the_same_in_any_company(method):
    pipeline = nasty_pipeline()
    system = StyleT2ISystem(pipeline, method and AdjustmentConfig(method))
    prompts = [system.understand(SENTENCES[row % 3]) for row in range(NUM)]
    check_rows(lambda rows: system.sample([prompts[row] for row in rows], rows))


@pytest.mark.parametrize("w_dim, z_dim, hidden_dim", [(6, 5, 9), (10, 50, 7), (9, 6, 22)])
def test_what_the_record_says_of_a_seed_is_the_same_too(w_dim, z_dim, hidden_dim):
    pipeline = nasty_pipeline(w_dim, z_dim, hidden_dim)
    together = pipeline.generate(SENTENCES[1], seeds=range(NUM)).to_dict()["images"]
    for seed in (0, 7):
        assert pipeline.generate(SENTENCES[1], seeds=[seed]).to_dict()["images"] == [together[seed]]


def test_many_seeds_need_no_more_texts_encoded_than_one(monkeypatch):
    pipeline, encoded = nasty_pipeline(), []
    directions = pipeline._directions
    encode = directions._encode
    monkeypatch.setattr(directions, "_encode", lambda role, text: encoded.append((role, text)) or encode(role, text))
    pipeline.generate(SENTENCES[1], seeds=[0])
    num = len(encoded)
    pipeline.generate(SENTENCES[1], seeds=range(5))
    assert encoded[num:] == [("t2d", SENTENCES[1])] and len(set(encoded)) == num


def test_a_face_that_was_looked_at_is_not_drawn_a_second_time(monkeypatch):
    pipeline, drawn = nasty_pipeline(), []
    G = pipeline.model.network("generator")
    synthesis = G.synthesis.forward
    monkeypatch.setattr(
        G.synthesis, "forward", lambda ws, *args, **kwargs: drawn.append(ws) or synthesis(ws, *args, **kwargs)
    )
    result = pipeline.generate(SENTENCES[1], seeds=range(4))
    assert len({ws.numpy().tobytes() for ws in drawn}) == len(drawn)
    assert torch.equal(result.images_u8, pipeline.images_u8(result.ws, range(4)))


def test_a_direction_does_not_depend_on_what_else_is_asked_for():
    pipeline = nasty_pipeline()
    w, names = pipeline.latents(range(5))[:, 0], pipeline.model.vocabulary.names
    every = pipeline.attribute_directions(w, names)
    for column in (0, 3, len(names) - 1):
        assert torch.equal(pipeline.attribute_directions(w[2:3], names[column : column + 1])[0, 0], every[2, column])
    assert torch.equal(pipeline.attribute_directions(w, names[::-1]), every.flip(1))


def test_an_edited_seed_is_the_same_in_any_company():
    pipeline = nasty_pipeline()
    pipeline.model.info("a2d")["strengths"] = tiny_strengths()
    check_rows(lambda rows: pipeline.edit(rows, {"lipstick": 1.0, "smiling": -0.5}).images_u8)


@pytest.mark.parametrize("z_dim, widths", [(7, (5, 3)), (13, (9, 6))])
def test_a_transferred_style_is_the_same_in_any_company(tmp_path, z_dim, widths):
    torch.manual_seed(0)
    gan = open_system(write_system(tmp_path, "gan_int_cls", z_dim=z_dim, widths=widths), device="cpu")
    gan.network = GanIntClsGenerator(GanIntClsConfig(8, z_dim, 3, widths, 1)).eval()
    gan.model._networks["style_encoder"] = StyleEncoder(StyleEncoderConfig(z_dim, widths)).eval()
    reader = StyleReader(gan)
    image = torch.rand(NUM, 3, reader.system.resolution, reader.system.resolution) * 2 - 1
    prompts = [gan.understand(SENTENCES[row % 3]) for row in range(NUM)]
    check_rows(lambda rows: reader.transfer(image[rows], [prompts[row] for row in rows]))
    check_rows(lambda rows: reader.read(image[rows]))


@pytest.mark.parametrize("width", [1, 2, 3, 6, 7, 11, 13, 18, 22, 50])
def test_a_layers_rows_are_the_same_in_any_company(width):
    torch.manual_seed(width)
    layers = [torch.nn.Linear(width, num_out) for num_out in (1, 3, 6, 11, 17)]
    x = torch.randn(NUM, width)
    for layer in layers:
        check_rows(lambda rows, layer=layer: rows_alone(layer, 8, x[rows]).detach())


def test_a_row_comes_in_aligned_memory_of_its_own():
    seen = []

    def look(a, b):
        seen.append((a.shape, b.shape, a.data_ptr() % 64, b.is_contiguous()))
        return a.sum(dim=1)

    a, b = torch.randn(7, 9)[1:], torch.randn(5, 6).t()
    torch.testing.assert_close(rows_alone(look, 4, a, b), a.sum(dim=1))
    assert seen == [((1, 9), (1, 5), 0, True)] * 6


def test_elsewhere_rows_come_in_micro_batches_of_one_size():
    a = torch.empty(5, 2, device="meta")
    sizes = []
    assert rows_alone(lambda rows: sizes.append(len(rows)) or rows, 4, a).shape == (5, 2)
    assert sizes == [4, 4]


def test_every_network_that_draws_is_tried_here():
    assert set(NASTY) == {role for role in ROLES if network_class(ROLES[role]).__name__.endswith("Generator")} - {
        "generator"
    }
