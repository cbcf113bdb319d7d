"""The shape of the house: files of one concept, folders that can be surveyed, no import cycles, addresses that exist.

docs/architecture.md has the same exceptions with their reasons.
"""

import ast
import io
import re
import subprocess
import tokenize

import pytest

from tests.unit.house.test_layers import MODULES, NAME, ROOT, imported_by

LEAST, MOST = 40, 350  # lines of a file
ENTRIES = 14  # of a folder, besides its __init__.py
SHORT_FILES = {  # addresses that users and files name
    "styleT2I/systems.py",
    "styleT2I/build_minifaces.py",
}
LARGE_FOLDERS = {
    "styleT2I",  # commands at the addresses that users type
    "benchmarks",  # one command for each table of docs/performance.md and docs/gpu.md
    "tests",  # what many tests share, imported as tests.NAME
    "tests/unit",  # mirrors the package
    "ops/csrc/cpu",  # one header for each step of one compiled unit
}
NO_COMMANDS = {"cli", "config", "errors", "systems"}  # files at the top that are none
CODE = {".py", ".h", ".cpp", ".cu"}


@pytest.fixture(scope="module")
def tracked():
    """The files of the repository, as paths relative to its root."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git repository to list")
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


def test_a_file_holds_one_concept():
    lengths = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in MODULES.values()
        if path.stem != "__init__"
    }
    wrong = {path for path, lines in lengths.items() if not LEAST <= lines <= MOST}
    assert wrong == SHORT_FILES, {path: lengths.get(path) for path in wrong ^ SHORT_FILES}


def test_a_folder_of_code_can_be_surveyed(tracked):
    entries = {}
    for path in tracked:
        *folders, name = path.split("/")
        for depth in range(1, len(folders) + 1):
            entry = [*folders, name][depth]
            entries.setdefault("/".join(folders[:depth]), set()).add(entry)
    code = {"/".join(path.split("/")[:-1]) for path in tracked if path[path.rfind(".") :] in CODE}
    large = {folder: len(found - {"__init__.py"}) for folder, found in entries.items() if folder in code}
    large = {folder: num for folder, num in large.items() if num > ENTRIES}
    assert large.keys() <= LARGE_FOLDERS, large


def test_what_lies_at_the_top_is_a_command():
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / NAME).glob("[!_]*.py")}
    assert {name for name, text in texts.items() if "\ndef main(" not in text} == NO_COMMANDS


def imported_at_once(name, path):
    """The modules that a module imports when it is imported itself: neither in functions nor for types alone."""
    outer = ast.parse(path.read_text(encoding="utf-8"))
    outer.body = [node for node in outer.body if isinstance(node, ast.Import | ast.ImportFrom)]
    targets = imported_by(name, path, outer)
    return {target if target in MODULES else target.rpartition(".")[0] for target in targets} & MODULES.keys()


def test_no_module_imports_itself_through_others():
    left = {name: imported_at_once(name, path) - {name} for name, path in MODULES.items()}
    while free := {name for name, targets in left.items() if not targets}:
        left = {name: targets - free for name, targets in left.items() if name not in free}
    assert not left, f"among these is a cycle: {left}"


ROOMS = {name.split(".")[0] for name in MODULES if "." in name}  # the rooms of the house: networks, training ...
WRITTEN = re.compile(rf"(?<![\w./-]){NAME}((?:\.\w+)+)")
SPOKEN = re.compile(rf"(?<![\w./()\[\]-])((?:{'|'.join(sorted(ROOMS))})(?:\.\w+)+)")
PATHS = re.compile(rf"(?<![\w./*{{<-])((?:{NAME}|torch_utils|ops|tests|docs|tools|benchmarks|examples)/[\w./-]*\w)")
ENDINGS = {"json", "csv", "pkl", "npz", "txt"}  # of files that are named as a room is
OTHERS = {"torch_utils.persistence", "torch_utils/misc.py"}  # NVIDIA's
SOURCES = {path.relative_to(ROOT).as_posix() for path in MODULES.values()}
PLACEHOLDERS = {"MODULE", "NAME", "StyleT2J"}


def test_names_and_paths_in_documents_and_comments_exist(tracked):
    wrong = []
    for place in tracked:
        if not place.endswith((".py", ".md", ".toml", ".yaml", ".sh")) or place == "CHANGELOG.md":
            continue
        text = (ROOT / place).read_text(encoding="utf-8")
        spoken = SPOKEN.findall(comments_of(text)) if place in SOURCES else ()
        names = [*(name[1:] for name in WRITTEN.findall(text)), *spoken]
        wrong += [f"{place}: {name}" for name in names if not is_name(name)]
        wrong += [f"{place}: {path}" for path in PATHS.findall(text) if not is_path(path)]
    assert not wrong


def comments_of(text):
    """The docstrings and comments of a module."""
    kinds = {tokenize.COMMENT, tokenize.STRING}
    found = [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type in kinds]
    lines = "\n".join(text for text in found if text.startswith(("#", '"""'))).split("\n")
    return "\n".join(line for line in lines if ">>>" not in line)


def is_name(dotted):
    """Whether a module has the name, or a module or room begins it and has what follows in its text."""
    parts = dotted.split(".")
    if dotted in OTHERS or parts[-1] in ENDINGS or parts[-1].endswith("_") or parts[-1] in PLACEHOLDERS:
        return True
    for length in range(len(parts), -1, -1):
        name, rest = ".".join(parts[:length]), parts[length:]
        if name in MODULES or name in ROOMS or not name:
            path = MODULES.get(name or "__init__", ROOT / NAME / "__init__.py")
            is_room = not rest or (not name and rest[0] in {*ROOMS, "checkpoints"})
            is_own = rest and (rest[0].startswith("__") or re.search(rf"\b{rest[0]}\b", path.read_text("utf-8")))
            return bool(is_room or is_own)
    return False


def is_path(path):
    """Whether there is such a file or folder; of `torch_utils/batching.rows_alone`, what it names in the file."""
    if path in OTHERS or "NAME" in path or any((ROOT / path).parent.glob(f"{(ROOT / path).name}*")):
        return True
    file, _, name = path.rpartition(".")
    found = ROOT / f"{file}.py"
    return found.is_file() and name in found.read_text(encoding="utf-8")
