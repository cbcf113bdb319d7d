"""The recipe celebahq at the size of the real release's images and of real weights: 500 drawn faces of 1024 pixels.

`python -m pytest -m slow -s tests/cli/train/test_recipe_real_scale.py` prints what it took.
"""

import pytest

from tests.celebahq_stand_in import write_stand_in
from tests.real_scale import write_clip, write_generator
from tests.recipe_under_kills import run_under_kills

pytestmark = pytest.mark.slow


def test_the_recipe_goes_on_after_a_kill_in_each_stage_and_ends_with_table_and_page(tmp_path):
    data = write_stand_in(tmp_path / "data", num=500, side=1024, mask_side=512)
    write_generator(tmp_path / "ffhq256.pkl")
    write_clip(tmp_path / "ViT-B-32.pt")
    killed, status, clock, processor = run_under_kills(data, tmp_path, tmp_path / "run")
    print(f"\nkilled in {', '.join(killed)}; {clock / 60:.0f} minutes")
    print(f"{sum(processor.values()) / 60:.0f} minutes of the processor: {processor}")
    assert status == 0, (tmp_path / "run.log").read_text()
    assert {"clip", "clip_eval", "t2d", "a2d", "evaluate"} <= set(killed)
    assert "StyleT2I, published" in (tmp_path / "run/table.md").read_text()
    assert (tmp_path / "run/index.html").is_file() and (tmp_path / "run/audit/audit.html").is_file()
    assert not list((tmp_path / "run").rglob("tmp.*"))
