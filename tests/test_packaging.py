"""What an installation must have for ``twistd`` and ``chatroom`` to be found."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

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
    def test_it_has_the_package_the_plugin_the_manual_and_nothing_else(self) -> None:
        wheel = dict(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"])
        manual = wheel.pop("shared-data")
        self.assertEqual(wheel, {"only-include": ["chat", "twisted/plugins/chatroom_plugin.py"]})
        self.assertEqual(manual, {"docs/chatroom.1": "share/man/man1/chatroom.1"})

    def test_every_command_has_something_behind_it(self) -> None:
        for target in PROJECT["project"]["scripts"].values():
            module, _, function = target.partition(":")
            self.assertTrue(callable(getattr(import_module(module), function)), target)


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
