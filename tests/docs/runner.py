"""Runs samples in the working folder: commands within this process, so that torch is imported once."""

import ast
import io
import json
import os
import shlex
import subprocess
import sys
import tokenize
from contextlib import redirect_stdout

from click.testing import CliRunner

from tests.conftest import ROOT
from tests.docs.commands import command_of


def run_line(line, expected=None):
    """Run a command line; its status must be 0, and what it prints must be `expected`, where that is given, as JSON."""
    words = shlex.split(line)
    assert words[0] in ("python", "python3"), f"no rule to run: {line}"
    if words[1] == "-m" and words[2].startswith("styleT2I"):
        command, arguments = command_of(words[2], words[3:])
        result = CliRunner().invoke(command, arguments)
        status, printed, output = result.exit_code, result.stdout, f"{result.output}{result.exception or ''}"
    else:
        words[0] = sys.executable
        words = [str(ROOT / word) if (ROOT / word).is_file() else word for word in words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        result = subprocess.run(words, env=environment, capture_output=True, text=True)
        status, printed, output = result.returncode, result.stdout, result.stdout + result.stderr
    assert status == 0, f"{line}\n{output}"
    if expected is not None:
        assert json.loads(printed) == json.loads(expected), line


def run_python(code, names):
    """Run a sample statement by statement; an expression must equal the literal that begins the comment behind it."""
    comments = _comments(code)
    for statement in ast.parse(code).body:
        with redirect_stdout(io.StringIO()):
            if not isinstance(statement, ast.Expr):
                exec(compile(ast.Module([statement], []), "<sample>", "exec"), names)
                continue
            value = eval(compile(ast.Expression(statement.value), "<sample>", "eval"), names)
        is_literal, expected = _literal(comments.get(statement.end_lineno, ""))
        if is_literal:
            assert value == expected, ast.unparse(statement)


def _comments(code):
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {token.start[0]: token.string[1:] for token in tokens if token.type == tokenize.COMMENT}


def _literal(comment):
    """Whether a comment, up to a semicolon, is a Python literal; and the literal."""
    try:
        return True, ast.literal_eval(comment.partition(";")[0].strip())
    except (SyntaxError, ValueError):
        return False, None
