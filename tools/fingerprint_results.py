"""Print SHA-256 hashes of what the project computes: images, an evaluation, an audit, a resumed training's weights.

    python tools/fingerprint_results.py [--against FILE] > FILE

Run it before and after a change of the code's shape on one machine: equal lines say that nothing computed has changed.
Hashes of different processors, versions of torch, or with and without the compiled kernels may differ. `--against
FILE` compares with an earlier output and exits with 1 where they differ. About three minutes on two cores.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAN = """name: fingerprint
num: 8
compositions: [she+lipstick, he+lipstick, young+gray_hair]
comparisons: [{name: lipstick, first: she+lipstick, second: he+lipstick}]
thresholds: [{comparison: lipstick, max_gap: 0.2}]
"""
VOLATILE = {
    "command", "rerun", "path", "paths", "version", "versions", "seconds", "source", "environment", "date", "utc",
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--against", type=Path, help="an earlier output to compare with")
    earlier = parser.parse_args().against
    lines = [f"machine: {platform.processor() or platform.machine()}, Python {platform.python_version()}"]
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in MEASURES.items():
            lines.append(f"{name}: {measure(Path(folder) / name)}")
            print(lines[-1], file=sys.stderr, flush=True)
    print("\n".join(lines))
    return int(earlier is not None and lines[1:] != earlier.read_text(encoding="utf-8").splitlines()[1:])


def run(*arguments, status=(0,)):
    command = [sys.executable, "-m", f"styleT2I.{arguments[0]}", *map(str, arguments[1:])]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if result.returncode not in status:
        raise SystemExit(f"{' '.join(command)} ended with {result.returncode}:\n{result.stderr}")


def images(folder):
    run("generate", "--text", "he is wearing lipstick", "--seeds", "0-7", "--outdir", folder)
    return hash_of(b"".join(path.read_bytes() for path in sorted(folder.glob("seed*.png"))))


def evaluation(folder):
    folder.mkdir()
    run("evaluate", "--suite", "t2d", "--num", "600", "--json", folder / "r.json")
    return hash_of_json(folder / "r.json")


def audit(folder):
    folder.mkdir()
    (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
    run("audit", "run", folder / "plan.yaml", "--outdir", folder / "audit", status=(0, 3, 4))
    return hash_of_json(folder / "audit" / "audit.json")


def resumed_training(folder):
    settings = ["--outdir", folder, "--batch", "8", "--eval-every", "4", "--eval-num", "16", "--resolution", "32"]
    settings += ["--name", "judge", "--data", "minifaces:biased/train:64", "--eval-data", "minifaces:balanced/test:110"]
    for steps in (4, 8):
        run("train_judge", *settings, "--steps", steps)
    return hash_of((folder / "judge.safetensors").read_bytes())


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def hash_of_json(path):
    """Hash of a result without what names a machine, a moment or a place on disk."""
    return hash_of(json.dumps(_stable(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True).encode())


def _stable(value):
    if isinstance(value, dict):
        return {key: _stable(entry) for key, entry in value.items() if key not in VOLATILE}
    return [_stable(entry) for entry in value] if isinstance(value, list) else value


MEASURES = {"images": images, "evaluation": evaluation, "audit": audit, "resumed training": resumed_training}

if __name__ == "__main__":
    sys.exit(main())
