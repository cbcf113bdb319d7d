"""The process that reads damaged files, watched: `python -m tests.faults.fuzzing.worker FOLDER`, jobs on its input.

A job is a line [target, first, last] of JSON; for every mutant a line says what came of it: target, index, file,
outcome, words, peak memory, seconds of the processor, what was done that reading does not need.
"""

import json
import os
import resource
import sys
import time
import typing
import warnings
from pathlib import Path

import torch

from tests.faults.fuzzing.mutators import mutate
from tests.faults.fuzzing.targets import TARGETS, outcome

ROOT = Path(__file__).resolve().parents[3]
MAX_GROWTH = 2 << 30  # bytes of address space: a failing case must not take the machine
_READABLE = (
    *(str(path) for path in (ROOT, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), sys.prefix)),
    *("/proc", "/sys", "/usr", "/lib", "/dev/urandom", "/etc/localtime"),
)
_BANNED = (
    *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.", "pty.", "webbrowser.", "socket."),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown"),
    *("os.putenv", "shutil.", "pickle.find_class", "ctypes.", "code.__new__", "marshal.loads"),
)


class Watch:
    """An audit hook that keeps what happens, while it is on, that reading a file has no need of."""

    def __init__(self, folder):
        self.folder, self.is_on, self.seen = str(folder), False, []
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if not self.is_on:
            return
        self.is_on = False  # what follows has events of its own
        try:
            if what := self._offence(event, arguments):
                self.seen.append(what[:200])
        finally:
            self.is_on = True

    def _offence(self, event, arguments):
        if event == "open":
            return self._opened(*arguments)
        is_run = event == "exec" and getattr(arguments[0], "co_filename", "").startswith("<")
        if (is_run or event.startswith(_BANNED)) and not _is_library():
            return f"{event} {arguments!r}"
        return None

    def _opened(self, path, mode, flags):
        if isinstance(path, int) or _is_library():
            return None
        path = os.path.abspath(os.fsdecode(path))
        is_writing = bool(set(mode or "") & set("wax+")) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        is_inside = path.startswith((self.folder, *_READABLE))
        return f"open {path!r} {mode!r}" if is_writing or not is_inside else None


def _is_library():
    """Whether Python itself imports a library late, or evaluates the annotations of our own dataclasses."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib") or frame.f_code.co_filename == typing.__file__:
            return True
        frame = frame.f_back
    return False


def mutant(target, folder, originals, kinds, index) -> str:
    """Write mutant `index` of a target over its sample; the name of the file that is damaged."""
    files = sorted(kinds)
    file = files[index % len(files)]
    others = [data for name, data in sorted(originals.items()) if data]
    data = mutate(originals[file], kinds[file], f"{target.name}:{index}", others)
    for name, original in originals.items():
        (folder / name).write_bytes(data if name == file else original)
    if target.after is not None:
        target.after(folder)
    return file


def prepare(target, folder):
    """Write a target's sample: (contents of its files, the mutators of those that are damaged, digest of its value)."""
    folder.mkdir(parents=True)
    kinds = target.make(folder)
    originals = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    kind, whole = outcome(target, folder)
    assert kind == "loaded", f"the sample of {target.name!r} itself is refused: {whole}"
    return originals, kinds, whole


def _status(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def _run(target, folder, watch, first, last):
    originals, kinds, whole = prepare(target, folder)
    for index in range(first, last):
        print(json.dumps([target.name, index]), flush=True)
        file = mutant(target, folder, originals, kinds, index)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        watch.seen, start = [], time.process_time()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            watch.is_on = True
            kind, words = outcome(target, folder)
            watch.is_on = False
        if kind == "loaded":
            words = "same" if words == whole else f"warned: {warned[0].message}"[:200] if warned else "changed"
        seconds = time.process_time() - start
        print(json.dumps([target.name, index, file, kind, words, _status("VmHWM"), seconds, watch.seen]), flush=True)


def main(folder):
    torch.set_num_threads(1)
    folder = Path(folder).resolve()
    os.environ["HOME"] = str(folder)
    watch, num = Watch(folder), 0
    for line in sys.stdin:
        name, first, last = json.loads(line)
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + MAX_GROWTH, resource.RLIM_INFINITY))
        _run(TARGETS[name], folder / str(num), watch, first, last)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        num += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
