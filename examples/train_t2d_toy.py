"""Train Text-to-Direction for a few steps on the embedded generator and CLIP, then draw with the new network.

Twenty steps show the way, not the quality: the shipped network took 1,500 (docs/text-to-direction.md).
"""

import subprocess
import sys
from pathlib import Path

from styleT2I import StyleT2I


def main(folder: str = "example-t2d", steps: str = "20") -> None:
    command = [sys.executable, "-m", "styleT2I.train_t2d", "--outdir", folder, "--steps", steps, "--batch", "8"]
    subprocess.run([*command, "--eval-every", steps], check=True)
    faces = StyleT2I.from_pretrained("minifaces", t2d=str(Path(folder) / "t2d.json"))
    result = faces.generate("she has blond hair", seeds=range(2))
    print(f"trained {steps} steps; images of shape {tuple(result.images_u8.shape)} drawn with {folder}/t2d.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
