"""Who may import whom, bottom first; docs/architecture.md shows the same table."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAME = "styleT2I"

BASE = {"errors", "config", "torch_utils"}
FILES = BASE | {"formats"}
WORLD = FILES | {"attributes", "data"}
PARTS = WORLD | {"ops", "networks", "baselines", "metrics", "statistics", "sources"}
ALLOWED = {  # a layer is a folder, or a folder within one that is named here; a layer may also import from itself
    "errors": set(),
    "config": {"errors"},
    "torch_utils": BASE,
    "ops": BASE,
    "statistics": {"errors", "torch_utils"},
    "metrics": {"errors", "torch_utils"},
    "formats": BASE,
    "sources": FILES,
    "networks": BASE | {"ops"},
    "baselines": BASE | {"ops", "networks"},
    "attributes": FILES,
    "data": WORLD,
    "photos": PARTS,
    "generation": PARTS,
    "inversion": PARTS | {"photos", "generation"},
    "exports": PARTS | {"generation"},
    "rivals": PARTS | {"generation"},
    "evaluation.measures": PARTS | {"generation"},
    "evaluation": PARTS | {"generation", "inversion", "evaluation.measures", "rivals"},
    "fairness": PARTS | {"generation"},
    "app": PARTS | {"photos", "generation", "inversion", "fairness"},
    "recipes": {"errors", "config"},
    "training": PARTS | {"recipes", "photos", "generation", "inversion", "evaluation.measures"},
    "staged": WORLD | {"recipes", "sources"},
    "systems": {"generation"},  # an address that older model cards name
    "checkpoints": set(),
}
EXCEPTIONS = {  # they load what a file holds into the class that they build
    ("networks.registry", "formats"),
    ("networks.clip.loading", "formats"),
}


def modules():
    """Yield (name without the leading package, path) of every module, as it is imported."""
    for folder, prefix in ((ROOT / NAME, ""), (ROOT / "ops", "ops."), (ROOT / "torch_utils", "torch_utils.")):
        for path in sorted(folder.rglob("*.py")):
            yield (prefix + ".".join(path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"), path


MODULES = dict(modules())


def imported_by(name, path, tree=None):
    """Yield the dotted names below the package that a module imports anywhere in its text, or in a tree of it."""
    package = [NAME, *name.split(".")] if path.stem == "__init__" else [NAME, *name.split(".")[:-1]]
    for node in ast.walk(tree or ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*base, node.module] if node.module else base)
            found = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (f.removeprefix(NAME + ".") for f in found if f.startswith(NAME + "."))


def is_command(name, path):
    is_top = path.parent == ROOT / NAME and layer(name) not in ALLOWED
    return name.split(".")[0] in ("cli", "options") or path.stem == "__main__" or is_top


def layer(name):
    """The longest name in ALLOWED that the module lies in; its first part where there is none."""
    parts = name.split(".")
    found = [".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in ALLOWED]
    return found[0] if found else parts[0]


@pytest.mark.parametrize("name", [n for n in MODULES if n != "__init__"])
def test_modules_import_only_from_the_layers_below(name):
    path = MODULES[name]
    for target in imported_by(name, path):
        if target == "__version__":
            continue
        module = target if target in MODULES else target.rpartition(".")[0]
        assert module in MODULES, f"{name} imports {target}, which does not exist"
        if is_command(name, path):
            continue
        assert not is_command(module, MODULES[module]), f"{name} imports the command {module}"
        own, other = layer(name), layer(module)
        is_allowed = other == own or other in ALLOWED[own] or (name, other) in EXCEPTIONS
        assert is_allowed, f"{name} imports {module}: {own} may import {sorted(ALLOWED[own])}"


@pytest.mark.parametrize("name", ["errors", "config", "cli"])
def test_the_lowest_layer_loads_without_torch(name, run_python):
    result = run_python("-c", f"import sys, styleT2I.{name}; print('torch' in sys.modules)")
    assert result.stdout.strip() == "False", result.stderr


def test_importing_the_package_imports_no_torch_and_its_names_resolve(run_python):
    code = (
        "import sys, styleT2I; assert 'torch' not in sys.modules and 'numpy' not in sys.modules;"
        "print([name for name in styleT2I.__all__ if getattr(styleT2I, name) is None]);"
        "assert set(styleT2I.__all__) <= set(dir(styleT2I))"
    )
    result = run_python("-c", code)
    assert result.stdout.strip() == "[]", result.stderr


def test_an_unknown_public_name_is_an_attribute_error():
    import styleT2I

    with pytest.raises(AttributeError, match="no attribute 'StyleT2J'"):
        _ = styleT2I.StyleT2J
