"""A benchmark's report that is there as far as it came, however it ends."""

import time


class Report:
    """The rows measured so far, each printed and written at once, and the time that is left for others."""

    def __init__(self, machine, seconds, num_rows, path, line_of):
        self.end, self.num_rows, self.path = time.monotonic() + seconds, num_rows, path
        self.line_of = line_of  # row -> its line
        self.result = {"machine": machine, "seconds": seconds, "rows": []}
        print(machine, flush=True)

    def share(self):
        """Seconds that the next of the rows to come may take."""
        self.num_rows -= 1
        return (self.end - time.monotonic()) / (self.num_rows + 1)

    def add(self, **row):
        """Print a row and write all; where it has `left_out` that is the reason why there are no values."""
        from styleT2I.torch_utils.files import write_json_atomic

        self.result["rows"].append(row)
        print(self.line_of(row), flush=True)
        if self.path:
            write_json_atomic(self.path, self.result)
