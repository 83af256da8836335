"""What an installation must have for ``twistd`` and ``chatroom`` to be found."""

import tomllib
from importlib import import_module
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
    def test_it_has_the_package_and_the_plugin_and_nothing_else(self) -> None:
        wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
        self.assertEqual(wheel, {"only-include": ["chat", "twisted/plugins/chatroom_plugin.py"]})

    def test_every_command_has_something_behind_it(self) -> None:
        for target in PROJECT["project"]["scripts"].values():
            module, _, function = target.partition(":")
            self.assertTrue(callable(getattr(import_module(module), function)), target)
