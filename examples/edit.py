"""Move two faces along attribute directions: more smiling, no hat; and a strip of strengths of one attribute."""

import sys
from pathlib import Path

from styleT2I import StyleT2I
from styleT2I.generation.explain import strip_u8
from styleT2I.torch_utils.images import save_png


def main(folder: str = "example-edit") -> None:
    faces = StyleT2I.from_pretrained("minifaces")
    edited = faces.edit(range(2), {"smiling": 1, "hat": -1})  # 1 is as clear as faces that have it usually are
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_png(Path(folder) / "grid.png", edited.grid_u8())
    save_png(Path(folder) / "strip.png", strip_u8(faces, range(2), "lipstick"))  # strengths from -2 to 2
    print(f"look at {folder}/grid.png and {folder}/strip.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
