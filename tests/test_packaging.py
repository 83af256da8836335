"""What an installation must have for ``twistd`` and ``chatroom`` to be found."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


class PluginTest(SynchronousTestCase):
    def test_twistd_finds_one_chatroom(self) -> None:
        found = [each for each in getPlugins(IServiceMaker) if each.tapname == "chatroom"]
        self.assertEqual([getattr(each, "module", "") for each in found], ["chat.server.tap"])

    def test_no_file_of_ours_takes_the_place_of_one_of_twisteds(self) -> None:
        ours = [each.name for each in (ROOT / "twisted").rglob("*.py")]
        self.assertEqual(ours, ["chatroom_plugin.py"])


class WheelTest(SynchronousTestCase):
    def test_it_has_the_package_the_plugin_manuals_completion_and_nothing_else(self) -> None:
        wheel = dict(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"])
        shared = wheel.pop("shared-data")
        self.assertEqual(wheel, {"only-include": ["chat", "twisted/plugins/chatroom_plugin.py"]})
        places = {
            "docs/chatroom.1": "share/man/man1/chatroom.1",
            "docs/chatroom-admin.8": "share/man/man8/chatroom-admin.8",
            "docs/twistd-chatroom.8": "share/man/man8/twistd-chatroom.8",
            "docs/chatroom.bash": "share/bash-completion/completions/chatroom",
        }
        self.assertEqual(shared, places)
        for path in places:
            self.assertTrue((ROOT / path).is_file(), path)

    def test_whoever_writes_a_bot_gets_its_types(self) -> None:
        self.assertTrue((ROOT / "chat" / "py.typed").is_file())

    def test_every_command_has_something_behind_it(self) -> None:
        for target in PROJECT["project"]["scripts"].values():
            module, _, function = target.partition(":")
            self.assertTrue(callable(getattr(import_module(module), function)), target)


class CompletionTest(SynchronousTestCase):
    """What bash offers behind some words, the last of which is not complete."""

    def offered(self, line: str) -> set[str]:
        words = line.split(" ")
        function = "_chatroom_twistd" if words[0] == "twistd" else "_chatroom"
        code = f"source docs/chatroom.bash; COMP_WORDS=({shlex.join(words)}); "
        code += f'COMP_CWORD={len(words) - 1}; {function}; printf "%s\n" "${{COMPREPLY[@]}}"'
        bash = ["bash", "--norc", "-c", code]
        done = subprocess.run(bash, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
        return set(done.stdout.split())

    def test_commands_options_and_what_they_take(self) -> None:
        for line, expected in {
            "chatroom se": {"send"},
            "chatroom --pro": {"--profile"},
            "chatroom --language ": {"en", "zh"},
            "chatroom send --li": {"--lines"},
            "chatroom admin --json st": {"statistics"},
            "chatroom admin moderate #room unm": {"unmute"},
            "chatroom admin users --on": {"--online"},
            "twistd -n chatroom --tls-": {"--tls-cert", "--tls-key"},
            "twistd chatroom --durability re": {"replicated"},
            "twistd chatroom --data docs/chatroom.to": {"docs/chatroom.toml"},
            "twistd chatroom --lease ": set(),
            "twistd web --p": set(),
        }.items():
            self.assertEqual(self.offered(line), expected, line)


def imported() -> Iterator[str]:
    """The top-level modules that the package imports, early or late."""
    for path in (ROOT / "chat").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    yield from (each.name.partition(".")[0] for each in names)
                case ast.ImportFrom(module=str(module), level=0):
                    yield module.partition(".")[0]


class DependenciesTest(SynchronousTestCase):
    def requirements(self) -> list[str]:
        project = PROJECT["project"]
        return [*project["dependencies"], *project["optional-dependencies"]["test"]]

    def test_what_is_imported_is_asked_for_by_name(self) -> None:
        names = {re.split(r"[\[>=;]", each)[0].lower() for each in self.requirements()}
        names.add("zope.interface")  # Twisted is written with it
        provided = packages_distributions()
        for module in set(imported()) - {"chat", *sys.stdlib_module_names}:
            distributions = {each.lower() for each in provided[module]}
            normal = {each.replace("_", "-") for each in distributions} | distributions
            self.assertTrue(normal & names, f"{module} is imported, and not in dependencies")

    def test_each_has_a_lower_bound_and_no_upper_one(self) -> None:
        for requirement in self.requirements():
            bounds = re.findall(r"[<>=!~]=?", requirement.partition(";")[0])
            self.assertEqual(bounds, [">="], requirement)
