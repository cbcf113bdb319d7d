"""An optimisation in the place of directions: what sentence it is given, from where, and what it says it took."""

import torch

from styleT2I.generation.editing.moves import steps_along
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.rivals.sentence_moves import SentenceMoves
from styleT2I.rivals.systems import open_rival
from tests.tiny_model import write_tiny_model


def test_a_move_is_what_the_sentence_of_the_signs_draws(tmp_path, monkeypatch):
    pipeline = StyleT2I.from_pretrained(write_tiny_model(tmp_path), device="cpu")
    moves, system = SentenceMoves(pipeline, "optimize", ["he", "hat"]), open_rival(pipeline, "optimize")
    steps = steps_along({"he": 1.0, "hat": -2.0}, moves)
    assert steps == {"he": 1.0, "hat": -2.0} and moves.seconds == 0
    ws = pipeline.latents([3, 4], 0.7)
    move = moves.move(ws, steps)
    assert move.styles == {} and moves.seconds > 0
    drawn = pipeline.images_u8(move.ws, [3, 4])
    assert torch.equal(drawn, system.generate("a man who wears no hat", [3, 4], truncation_psi=0.7).images_u8)
