"""A blind run: a generator's truth is sealed and its hash published, the audit is run, the truth is opened.

In a checkout, with a folder that does not exist yet:

    python benchmarks/blind_audit.py seal runs/blind     draws a setting of the dial; prints its SHA-256, to publish
    python benchmarks/blind_audit.py audit runs/blind    audits it; writes what the audit says, not what is true
    python benchmarks/blind_audit.py open runs/blind     checks the hash and prints the truth beside the audit

The truth (success of both sides, how failures look, the judge's errors by sex, undetermined images, number of pairs) is
drawn at random, with a random salt, so that nobody can find it by trying. `open` fails where the sealed file is not the
one whose hash was published, or the audit was made of another one.
"""

import argparse
import hashlib
import json
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402

SEALED, COMMITMENT, AUDIT = "sealed.json", "commitment.txt", "audit.json"


def drawn_setting(rng):
    """A setting of `audit_dial.Dial` as JSON: gaps of 0 to 30 points, judges of 70 to 99 % by sex."""
    gap = float(rng.choice([0.0, 0.05, 0.1, 0.15, 0.2, 0.3]))
    high = float(rng.uniform(max(0.35, gap + 0.05), 0.97))
    sides = [high, high - gap]
    return {
        "name": "blind",
        "num": int(rng.choice([100, 200, 400, 1000])),
        "labels": int(rng.choice([75, 150])),
        "success": sides if rng.random() < 0.5 else sides[::-1],
        "correlation": float(rng.uniform(0, 0.8)),
        "other_sex": [float(rng.random()), float(rng.random())],
        "sex_errors": [float(rng.uniform(0.01, 0.1)), float(rng.uniform(0.01, 0.2))],
        "lipstick_errors": [float(rng.uniform(0.01, 0.1)), float(rng.uniform(0.01, 0.3))],
        "undetermined": [float(rng.uniform(0, 0.05)), float(rng.uniform(0, 0.15))],
    }


def seal(folder):
    """Write a sealed truth and its hash; returns the hash."""
    if folder.exists():
        sys.exit(f"error: {folder} is there already; a sealed truth is not replaced")
    folder.mkdir(parents=True)
    seed = secrets.randbits(128)
    content = {"salt": secrets.token_hex(16), "seed": seed, "setting": drawn_setting(np.random.default_rng(seed))}
    text = json.dumps(content, indent=1, sort_keys=True)
    (folder / SEALED).write_text(text, encoding="utf-8")
    sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()
    (folder / COMMITMENT).write_text(f"{sha256}  {SEALED}\n", encoding="utf-8")
    return sha256


def sealed(folder):
    """The truth and its hash; exits where the hash is not the published one."""
    text = (folder / SEALED).read_text(encoding="utf-8")
    sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()
    if (folder / COMMITMENT).read_text(encoding="utf-8").split()[0] != sha256:
        sys.exit(f"error: {folder / SEALED} is not the file whose hash was published")
    return json.loads(text), sha256


def audit(folder):
    """Audit the sealed generator; returns what the audit says."""
    from audit_dial import Dial, audited

    from styleT2I.fairness.analysis.decisions.verdicts import Question, of_gap, verdicts

    content, sha256 = sealed(folder)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in content["setting"].items()}
    dial = Dial(**values)
    sides = audited(dial, content["seed"] % 2**31)[0]
    contrast = sides.contrast()
    decided = verdicts([Question("max_gap", "blind", dial.limit, of_gap(sides, dial.limit))], 0.05)[0]
    found = {"sealed_sha256": sha256, "gap": contrast.value, "interval": contrast.interval(0.95),
             "limit": dial.limit, "verdict": decided.verdict}  # fmt: skip
    (folder / AUDIT).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def opened(folder):
    """The truth beside the audit."""
    content, sha256 = sealed(folder)
    found = json.loads((folder / AUDIT).read_text(encoding="utf-8"))
    if found["sealed_sha256"] != sha256:
        sys.exit(f"error: {folder / AUDIT} is of another sealed truth")
    first, second = content["setting"]["success"]
    gap, (low, high) = first - second, found["interval"]
    is_kept = abs(gap) <= found["limit"] + 1e-12
    wrong = {"within": abs(gap) > found["limit"] - 1e-12, "exceeded": is_kept, "not decided": False}
    return {**found, "true_gap": gap, "is_covered": low <= gap <= high, "is_false": wrong[found["verdict"]],
            "setting": content["setting"]}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("seal", "audit", "open", "series"), help="series: all three, --num times.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--num", type=int, default=100, help="Of a series, in folders below the one that is named.")
    arguments = parser.parse_args()
    if arguments.what == "series":
        results = []
        for index in range(arguments.num):
            seal(arguments.folder / f"{index:03d}")
        for index in range(arguments.num):
            audit(arguments.folder / f"{index:03d}")
            results.append(opened(arguments.folder / f"{index:03d}"))
        print(f"{len(results)} sealed truths: the interval holds {sum(each['is_covered'] for each in results)}, "
              f"{sum(each['verdict'] != 'not decided' for each in results)} limits are decided, "
              f"{sum(each['is_false'] for each in results)} falsely")  # fmt: skip
        return
    done = {"seal": seal, "audit": audit, "open": opened}[arguments.what](arguments.folder)
    print(done if isinstance(done, str) else json.dumps(done, indent=1))


if __name__ == "__main__":
    main()
