"""Pack what a training has made into one small archive: `python tools/pack_run.py RUN ARCHIVE.tar`.

Networks are stored as fp16; the log and the last sample sheet go along, and the newest checkpoint too where it takes no
more than --limit megabytes: then the training goes on exactly where the archive is unpacked. `--reached RUN` prints the
thousands of images that a training has seen, and writes nothing.
"""

import argparse
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from styleT2I.errors import StyleT2IError  # noqa: E402
from styleT2I.formats.component import read_component, write_component  # noqa: E402
from styleT2I.torch_utils.files import atomic_path  # noqa: E402
from styleT2I.training.checkpoints import list_checkpoints, newest_checkpoint  # noqa: E402


def reached(run):
    """Thousands of images of the newest checkpoint in a run's folder; StyleT2IError where there is none."""
    found = newest_checkpoint(Path(run))
    if found is None:
        raise StyleT2IError(f"{run}: holds no checkpoint yet; give the training more time")
    return found.step * found.options["settings"]["batch_size"] / 1000


def pack(run, archive, limit):
    """Write the archive, whole or not at all; return the names in it."""
    run = Path(run)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for path in sorted(run.glob("*.json")):
            if path.with_suffix(".safetensors").exists() and not path.name.startswith("ckpt-"):
                network = read_component(path)
                write_component(folder, path.stem, network.kind, network.config, network.state_dict, half=True,
                                step=network.step, info=network.info)  # fmt: skip
        further = [path for name in ("stats.jsonl", "options.json", "model.json") if (path := run / name).exists()]
        further += sorted(run.glob("samples-*.png"))[-1:]
        state = [path for file in list_checkpoints(run)[-1:] for path in sorted(run.glob(f"{file.stem}.*"))]
        if sum(path.stat().st_size for path in state) <= limit * 1e6:
            further += state
        for path in further:
            shutil.copy(path, folder)
        names = sorted(path.name for path in folder.iterdir())
        with atomic_path(archive) as path, tarfile.open(path, "w") as tar:
            for name in names:
                tar.add(folder / name, name)
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="the training's --outdir")
    parser.add_argument("archive", metavar="ARCHIVE.tar", nargs="?")
    parser.add_argument("--reached", action="store_true")
    parser.add_argument("--limit", type=float, default=15, metavar="MB", help="of a checkpoint that goes along")
    arguments = parser.parse_args()
    if arguments.reached == bool(arguments.archive):
        parser.error("give either ARCHIVE.tar or --reached")
    try:
        if arguments.reached:
            print(reached(arguments.run))
        else:
            print(f"{arguments.archive}: {', '.join(pack(arguments.run, arguments.archive, arguments.limit))}")
    except StyleT2IError as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
