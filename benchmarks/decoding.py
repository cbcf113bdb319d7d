"""How many JPEGs of 1024 px one core decodes a second, and several data workers together.

Run `python benchmarks/decoding.py --num 64 --workers 0 1 2 --json FILE` in a checkout. The images are smooth noise with
grain, saved at quality 95 (462 kB each at 1024 px); they are read, checked, decoded and resized to --resolution by the
data set that trainings use, without its cache, in batches of 8. Without workers it decodes in as many threads as there
are cores, a worker in one.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

BATCH = 8


def write_images(folder, num, side):
    """`num` JPEGs; returns the mean size of their files in bytes."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    for k in range(num):
        coarse = cv2.resize(
            rng.integers(0, 256, (24, 24, 3), dtype=np.uint8), (side, side), interpolation=cv2.INTER_CUBIC
        )
        grain = cv2.GaussianBlur(rng.normal(0, 24, coarse.shape), (0, 0), 0.8)
        image = (coarse + grain).clip(0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{k}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return sum(path.stat().st_size for path in folder.iterdir()) / num


def images_a_second(folder, resolution, num_workers, seconds):
    """Images a second, and processor seconds of this process an image."""
    import torch

    from styleT2I.data.folder import FolderDataset
    from styleT2I.torch_utils.ahead import Ahead, workers

    data = FolderDataset(folder, resolution, cache_bytes=0)
    num_batches = len(data) // BATCH
    with workers(num_workers, torch.device("cpu")):
        made = Ahead(lambda step: data.batch([(step % num_batches) * BATCH + k for k in range(BATCH)]).images_u8)
        for step in range(2 + 2 * num_workers):
            made(step)
        since, cpu_since, count = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - since < seconds:
            made(2 + 2 * num_workers + count)
            count += 1
        taken, cpu = time.perf_counter() - since, time.process_time() - cpu_since
    return count * BATCH / taken, cpu / (count * BATCH)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=64, help="files, each read many times")
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--resolution", type=int, default=256, help="side that they are resized to")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = write_images(Path(folder), options.num, options.side)
        print(f"{options.num} JPEGs of {options.side} px, {size / 1e3:.0f} kB each")
        found = {}
        for number in options.workers:
            rate, cpu = images_a_second(folder, options.resolution, number, options.seconds)
            found[number] = {"images_a_second": rate, "processor_seconds_an_image": cpu}
            print(
                f"{number} workers: {rate:.1f} images a second, {cpu * 1e3:.1f} ms of this process an image", flush=True
            )
    if options.json:
        from timing import machine

        record = {"bytes_a_file": size, "resolution": options.resolution, "workers": found, "machine": machine()}
        Path(options.json).write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
