"""The log of a run: stats.jsonl, one JSON object per line, and TensorBoard where it is installed."""

import json
import math
from pathlib import Path

from styleT2I.torch_utils.files import one_line_os_errors, write_text_atomic


class RunLog:
    """Append records to OUTDIR/stats.jsonl, flushed line by line; a context manager.

    A resumed run passes the step it resumes from: records of later steps, which it will write again, are dropped.
    """

    def __init__(self, outdir: str | Path, resume_step: int = 0):
        self.path = Path(outdir) / "stats.jsonl"
        write_text_atomic(self.path, "".join(line + "\n" for line in self._kept_lines(resume_step)))
        self._file = open(self.path, "a", encoding="utf-8")
        self._board = _open_tensorboard(outdir, resume_step)

    def write(self, step: int, values: dict) -> None:
        """Append {"step": step, **values}; numbers also go to TensorBoard. Raises OutputError, as for a full disk."""
        values = {name: _finite_or_none(value) for name, value in values.items()}
        with one_line_os_errors(self.path):
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        with one_line_os_errors(self.path):
            self._file.close()
        if self._board is not None:
            self._board.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _kept_lines(self, resume_step):
        if not resume_step or not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                is_kept = json.loads(line)["step"] <= resume_step
            except (ValueError, KeyError, TypeError):  # the line a killed run left half-written
                continue
            if is_kept:
                yield line


def read_stats(path: str | Path) -> list[dict]:
    """Return the records of a stats.jsonl file in order."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def _finite_or_none(value):
    """None in place of NaN and infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _open_tensorboard(outdir, resume_step):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(outdir), purge_step=resume_step + 1)
