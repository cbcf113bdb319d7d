"""`python -m styleT2I.app`: what is wrong is one line with exit status 2, before anything is served."""

import importlib.util
import socket

from click.testing import CliRunner

from styleT2I.app import __main__ as app


def run(*arguments):
    result = CliRunner().invoke(app.main, arguments)
    assert result.exit_code == 2 and result.output.count("\n") == 1 and "Traceback" not in result.output, result.output
    return result.output


def test_errors_are_one_line(monkeypatch):
    assert "65535" in run("--port", "99999")
    assert "gpu" in run("--device", "gpu")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'styleT2I[app]'" in run()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "--port" in run("--port", str(taken.getsockname()[1]))
