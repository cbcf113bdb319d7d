"""Draw four faces from a sentence and print which attributes the model's judge sees in each."""

import sys
from pathlib import Path

from styleT2I import StyleT2I
from styleT2I.torch_utils.images import save_png


def main(folder: str = "example-generate") -> None:
    faces = StyleT2I.from_pretrained("minifaces")
    result = faces.generate("a young woman with gray hair and bangs", seeds=range(4))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for seed, image in zip(result.seeds, result.images_u8, strict=True):
        save_png(Path(folder) / f"seed{seed:04d}.png", image)
    save_png(Path(folder) / "grid.png", result.grid_u8())  # the unedited faces above the edited ones
    print(f"asked for: {', '.join(f'{name} = {value}' for name, value in result.prompt.attributes.items())}")
    print(f"look at {folder}/grid.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
