"""README.md and docs/*.md as what a reader would type: their Python and shell samples, in order.

A sample after `<!-- not run: REASON -->` is not executed; its imports and options are checked all the same.
"""

import re
from dataclasses import dataclass

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCED = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]+) -->\n)?(?:^<!-- command:\w+ -->\n)?"
    r"^```(?P<language>python|bash)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Sample:
    """One fenced sample; `reason` says why it is not run, and is None where it is."""

    language: str
    text: str
    reason: str | None = None

    @property
    def lines(self):
        """The command lines of a shell sample, joined where they end with a backslash, without comments."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [line.split("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]

    @property
    def expected(self):
        """What a shell sample says is printed: {command line: the comment line below it}."""
        lines = self.text.splitlines()
        pairs = zip(lines, lines[1:], strict=False)
        return {above.split("  #")[0].strip(): line[2:] for above, line in pairs if line.startswith("# ")}


def samples(page):
    """Every Python and shell sample of a page."""
    text = page.read_text(encoding="utf-8")
    return [Sample(match["language"], match["text"], match["reason"]) for match in _FENCED.finditer(text)]
