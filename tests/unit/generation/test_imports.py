"""Drawing one face imports few of the project's modules: what it does not use waits until it is asked for."""

import json

import pytest

COUNT = """
import json, sys
{draw}
loaded = [name for name in sys.modules if name.split(".")[0] == "styleT2I"]
packages = [name for name in loaded if hasattr(sys.modules[name], "__path__")]
print(json.dumps([len(loaded) - len(packages), sorted(loaded)]))
"""
IN_PYTHON = """
import styleT2I
styleT2I.StyleT2I.from_pretrained(device="cpu").generate("he is wearing lipstick", [0])
"""
BY_COMMAND = """
from click.testing import CliRunner
from styleT2I.generate import main
arguments = ["--text", "he is wearing lipstick", "--seeds", "0", "--device", "cpu", "--outdir", {outdir!r}]
result = CliRunner().invoke(main, arguments)
assert result.exit_code == 0, result.output
"""


@pytest.mark.parametrize(("draw", "most"), [(IN_PYTHON, 50), (BY_COMMAND, 56)], ids=["python", "command"])
def test_a_face_is_drawn_by_few_modules(run_python, tmp_path, draw, most):
    result = run_python("-c", COUNT.format(draw=draw.format(outdir=str(tmp_path / "out"))))
    assert result.returncode == 0, result.stderr
    num, loaded = json.loads(result.stdout.splitlines()[-1])
    assert num <= most, f"{num} modules, without the folders' own: {', '.join(loaded)}"
    apart = ("formats.pickles", "formats.foreign.attngan", "baselines", "training", "evaluation", "fairness", "data")
    assert not [name for name in loaded if name.removeprefix("styleT2I.").startswith(apart)]
