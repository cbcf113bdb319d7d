"""Damaged files of every kind that users give, about a thousand of them, 20,000 with -m slow; all follow from seeds.

No damaged file may end in a traceback, take over 5 seconds or 1 GiB, have anything executed or written, or give another
value in silence than the whole one where its format has checksums. A mutant that does is named; to look at it:
`python -m tests.faults.fuzzing.worker FOLDER` with [TARGET, INDEX, INDEX + 1] on its input leaves it in FOLDER/0.
"""

import json
import os
import queue
import subprocess
import sys
import threading

import pytest

from tests.conftest import ROOT

NUM, NUM_SLOW = 1000, 20_000
MAX_SECONDS, MAX_MEMORY = 5, 1 << 30
START, SILENCE = 600, 90  # seconds of the clock until a reader has begun, and after which it hangs, on a busy machine


def shares(num):
    """How many mutants each target gets."""
    from tests.faults.fuzzing.targets import TARGETS

    total = sum(target.weight for target in TARGETS.values())
    return {name: max(1, num * target.weight // total) for name, target in TARGETS.items()}


def start(folder):
    folder.mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.faults.fuzzing.worker", str(folder)]
    with open(folder / "stderr", "w") as errors:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


class Lines:
    """What a worker says, line by line: "" at its end, None where it says nothing for too long."""

    def __init__(self, stream):
        self.queue, self.patience = queue.Queue(), START
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        for line in stream:
            self.queue.put(line)
        self.queue.put("")

    def next(self):
        try:
            return self.queue.get(timeout=self.patience)
        except queue.Empty:
            return None
        finally:
            self.patience = SILENCE


def results_of(folder, jobs):
    """Every mutant's result; a reader that dies or hangs is begun anew behind the mutant that did it."""
    jobs, found, num = dict(jobs), [], 0
    starts = dict.fromkeys(jobs, 0)
    while jobs:
        worker, num = start(folder / str(num)), num + 1
        lines = [json.dumps([name, starts[name], end]) for name, end in jobs.items()]
        worker.stdin.write("\n".join(lines) + "\n")
        worker.stdin.close()
        current, said = None, Lines(worker.stdout)
        while line := said.next():
            name, index, *rest = json.loads(line)
            current = (name, index)
            if rest:
                found.append((name, index, *rest))
                for earlier in list(jobs)[: list(jobs).index(name)]:
                    del jobs[earlier]
                starts[name] = index + 1
        if line is None:
            worker.kill()
        if worker.wait() == 0:
            break
        assert current is not None, (folder / str(num - 1) / "stderr").read_text()[-2000:]
        name, index = current
        what = "hangs" if line is None else f"the process ended with status {worker.returncode}"
        found.append((name, index, "", "crashed", what, 0, 0.0, []))
        starts[name] = index + 1
        if starts[name] >= jobs[name]:
            del jobs[name]
    return found


def faults_in(found):
    """What is wrong with results: a list of lines, one a mutant."""
    from tests.faults.fuzzing.targets import TARGETS

    faults = []
    for name, index, file, kind, words, memory, seconds, seen in found:
        wrong = [f"{kind}: {words}"] if kind == "crashed" else []
        if kind == "refused" and ("\n" in words or len(words) > 2000):
            wrong.append(f"no one line: {words[:200]!r}")
        if kind == "loaded" and words == "changed" and TARGETS[name].is_verified:
            wrong.append("another value, in silence")
        wrong += [f"{seconds:.1f} s"] if seconds > MAX_SECONDS else []
        wrong += [f"{memory / 2**20:.0f} MiB"] if memory > MAX_MEMORY else []
        wrong += [f"did: {seen[0]}"] if seen else []
        faults += [f"{name} {index} ({file}): {'; '.join(wrong)}"] if wrong else []
    return faults


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return results_of(tmp_path_factory.mktemp("fuzz"), shares(NUM))


def names():
    from tests.faults.fuzzing.targets import TARGETS

    return list(TARGETS)


@pytest.mark.parametrize("name", names())
def test_no_damaged_file_does_harm(found, name):
    own = [result for result in found if result[0] == name]
    assert [index for _, index, *_ in own] == list(range(shares(NUM)[name]))
    assert faults_in(own) == []
    assert {kind for _, _, _, kind, *_ in own} >= {"refused"}


def test_most_mutants_are_damaged_where_it_shows(found):
    """A fuzzer whose mutants all load, or are all refused at the first byte, finds nothing."""
    kinds = [kind for _, _, _, kind, *_ in found]
    assert 0.4 < kinds.count("refused") / len(kinds) < 0.95
    lines = {words.rpartition("/")[2][:60] for _, _, _, kind, words, *_ in found if kind == "refused"}
    assert len(lines) > 150


def test_harm_would_be_seen(tmp_path):
    """A target that does each of the things that are looked for."""
    code = """
import os, sys, json, warnings
from pathlib import Path
from tests.faults.fuzzing import targets as fuzz_targets, worker as fuzz_worker
from tests.faults.fuzzing.targets import Target
from tests.faults.fuzzing.mutators import BINARY
from styleT2I.errors import DataError
DEEDS = {
    "traceback": lambda folder: {}["x"],
    "two lines": lambda folder: (_ for _ in ()).throw(DataError("a\\nb")),
    "shell": lambda folder: os.system("true"),
    "eval": lambda folder: eval("1"),
    "write": lambda folder: Path(folder, "new").write_text("x"),
    "outside": lambda folder: Path("/etc/hostname").read_bytes(),
    "memory": lambda folder: len(bytearray(1200 << 20)),
    "slow": lambda folder: [sum(range(10**6)) for _ in range(20)] and None,
    "changed": lambda folder: Path(folder, "file").read_bytes(),
    "dies": lambda folder: os._exit(3),
}
def make(folder):
    (folder / "file").write_bytes(b"0123456789")
    return {"file": BINARY}
def act(name, folder):
    is_whole = Path(folder, "file").read_bytes() == b"0123456789"
    return b"0123456789" if is_whole else DEEDS[name](folder)
fuzz_worker.TARGETS.clear()
for name in DEEDS:
    fuzz_worker.TARGETS[name] = Target(name, make, lambda folder, name=name: act(name, folder), is_verified=True)
fuzz_worker.main(sys.argv[1])
"""
    deeds = ("traceback", "two lines", "shell", "eval", "write", "outside", "memory", "slow", "changed", "dies")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    jobs = "\n".join(json.dumps([name, 0, 1]) for name in deeds)
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], input=jobs, env=environment, text=True,
                            capture_output=True, timeout=300)  # fmt: skip
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[-1] == ["dies", 0] and result.returncode == 3, result.stderr
    found = {line[0]: line for line in lines if len(line) > 2}
    assert found["traceback"][3:5] == ["crashed", "KeyError: 'x'"] and found["two lines"][3:5] == ["refused", "a\nb"]
    assert found["changed"][3:5] == ["loaded", "changed"]
    seen = {name: found[name][7][0] for name in ("shell", "eval", "write", "outside")}
    assert seen["shell"].startswith("os.system") and seen["eval"].startswith("exec") and "new" in seen["write"]
    assert "hostname" in seen["outside"] and found["memory"][5] > MAX_MEMORY
    assert found["slow"][6] > 10 * found["traceback"][6] and found["slow"][6] > 0.1  # seconds
    assert len(faults_in([["png", 0, "x", "loaded", "same", 0, MAX_SECONDS + 0.1, []]])) == 1


@pytest.mark.slow
def test_no_damaged_file_of_many_does_harm(tmp_path):
    found = results_of(tmp_path / "fuzz", shares(NUM_SLOW))
    assert len(found) == sum(shares(NUM_SLOW).values()) and faults_in(found) == []
