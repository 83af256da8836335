"""Prints the lowest versions that ``pyproject.toml`` allows, as constraints for pip.

Each is a version that exists: ``.ci/run`` installs them and runs tests with them, as other tests
run with the newest.
"""

import re
import tomllib
from pathlib import Path

LOWER = re.compile(r"(?P<name>[\w.-]+)(\[[\w,]+\])?>=(?P<version>[\w.]+)")

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in (*project["dependencies"], *project["optional-dependencies"]["test"]):
    found = LOWER.match(requirement)
    if found is None:
        raise SystemExit(f"{requirement} has no lower bound")
    print(f"{found['name']}=={found['version']}")
