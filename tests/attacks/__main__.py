"""``python -m tests.attacks`` prints the table; with ``--write`` it is put into SECURITY.rst.

Let nothing else run meanwhile.
"""

import sys
from pathlib import Path

from tests.attacks import Pace, attacked, table

THOROUGH = Pace(seconds=1.5, quiet=4.0, argon2="2,19456,1")
SECURITY = Path(__file__).parents[2] / "SECURITY.rst"
BEGIN, END = ".. the table starts here\n\n", "\n\n.. the table ends here"


def write(made: str) -> None:
    """Put the table where the old one is."""
    head, _, rest = SECURITY.read_text(encoding="utf-8").partition(BEGIN)
    SECURITY.write_text(head + BEGIN + made + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    made = table(list(attacked(THOROUGH)))
    print(made)
    if "--write" in sys.argv:
        write(made)
