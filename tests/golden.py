"""Golden texts: what was drawn when somebody last looked at it, one small file for each screen.

``CHATROOM_GOLDEN=write python -m pytest tests/test_tui_golden.py`` writes them anew; then look at
the difference that git shows.
"""

import difflib
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import TestCase

__all__ = ["check", "difference", "written"]

GOLDEN = Path(__file__).parent / "golden"
REPEATED = 3
"""Rows in a row from which on they are written once, with their number."""


def check(test: TestCase, name: str, parts: Mapping[str, Sequence[str]]) -> None:
    """Compare ``parts``, rows of text by their headings, with the file that is called ``name``."""
    path = GOLDEN / f"{name}.txt"
    rows = written(parts)
    if os.environ.get("CHATROOM_GOLDEN") == "write":
        path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if rows != known:
        test.fail(f"{path.name} is drawn differently:\n{difference(known, rows)}")


def difference(known: Sequence[str], rows: Sequence[str]) -> str:
    """What has changed, with two rows around it."""
    before, now = "as it was", "as it is drawn now"
    return "\n".join(difflib.unified_diff(known, rows, before, now, n=2, lineterm=""))


def written(parts: Mapping[str, Sequence[str]]) -> list[str]:
    """The rows of a file."""
    found = []
    for heading, rows in parts.items():
        found.append(f"==== {heading} ====")
        for row, group in itertools.groupby(each.rstrip() for each in rows):
            count = len(list(group))
            found += [f"{row}    <{count} times>"] if count >= REPEATED else [row] * count
    return found
