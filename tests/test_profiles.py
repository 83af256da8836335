"""Profiles: where the client keeps tokens, drafts and what was chosen on the screen."""

import errno
import fcntl
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from chat.client.cli.main import _chosen_theme
from chat.client.files.paths import SLOTS, Profile
from chat.client.language.cli_words import Phrases


class ProfileTest(SynchronousTestCase):
    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)

    def profile(self, name: str = "default") -> Profile:
        return Profile(name, {"XDG_STATE_HOME": str(self.home)})

    def take(self, user: str = "alice") -> Any:
        slot = self.profile().device("chat.example", user)
        if slot is not None:
            self.addCleanup(slot.close)
        return slot

    def test_two_windows_of_an_account_keep_their_drafts_apart(self) -> None:
        first, second = self.take().beside("drafts"), self.take().beside("drafts")
        self.assertEqual((first.name, second.name), ("drafts.json", "drafts-2.json"))
        self.assertEqual(first.parent, second.parent)

    def test_names_that_would_leave_the_directory_are_refused(self) -> None:
        for name in ("", ".", "..", "a/b", ".hidden", "x" * 64, "a\0b", "\udc80", "小 明", "小\n"):
            with self.assertRaises(ValueError):
                self.profile(name)

    def test_a_profile_may_be_called_as_people_are(self) -> None:
        for name in ("小明", "Zoë", "work-2.b", "x" * 63, "\U00020000" * 63):
            self.profile(name).remember("chat.example", "alice")
            self.assertIsNotNone(self.profile(name).remembered(), name)

    def test_what_is_chosen_on_the_screen_is_remembered_and_a_theme_only_while_it_is_there(
        self,
    ) -> None:
        self.assertEqual(self.profile().chosen("language"), "")
        self.profile().choose("language", "zh")
        self.profile().choose("theme", "light")
        self.assertEqual(self.profile().chosen("language"), "zh")
        self.assertEqual(_chosen_theme(self.profile(), Path("/nowhere")), "light")
        self.profile().choose("theme", "gone")
        self.assertEqual(_chosen_theme(self.profile(), Path("/nowhere")), "")

    def test_what_is_remembered_is_found_however_the_server_is_written(self) -> None:
        self.profile().remember("chat.example", "alice")
        known = self.profile().remembered()
        assert known is not None
        self.assertEqual((known.server, known.user), ("tcp:chat.example:8889", "alice"))
        self.assertIsNone(self.profile("other").remembered())

    def test_a_device_keeps_its_name_and_token(self) -> None:
        slot = self.take()
        slot.keep("secret")
        slot.close()
        again = self.take()
        self.assertEqual((again.device, again.token), (slot.device, "secret"))

    def test_a_device_in_use_is_not_given_to_another_program(self) -> None:
        slots = [self.take() for _ in range(SLOTS)]
        self.assertEqual(len({slot.device for slot in slots}), SLOTS)
        self.assertIsNone(self.take())
        slots[3].close()
        self.assertIsNotNone(self.take())

    def test_a_disk_that_knows_no_locks_is_named(self) -> None:
        with patch.object(fcntl, "flock", side_effect=OSError(errno.ENOLCK, "No locks available")):
            error = self.assertRaises(OSError, self.take)
        self.assertRegex(Phrases("en").unwritable(error), r"/device-1\.lock cannot be written: No ")

    def test_a_device_with_a_token_is_taken_first(self) -> None:
        first, second = self.take(), self.take()
        second.keep("secret")
        first.close()
        second.close()
        self.assertEqual(self.take().token, "secret")

    def test_users_and_servers_are_kept_apart_and_spellings_are_not(self) -> None:
        profile = self.profile()
        account = profile.account("chat.example", "Alice")
        self.assertEqual(account, profile.account("tcp:chat.example:8889", "alice"))
        self.assertNotEqual(account, profile.account("other.example", "alice"))
        self.assertNotEqual(account, profile.account("chat.example", "bob"))

    def test_files_that_make_no_sense_are_as_good_as_none(self) -> None:
        self.profile().remember("chat.example", "alice")
        for text in ("", "[]", "{}", '{"server": 1, "user": []}', "\xff"):
            (self.profile().state / "last.json").write_text(text, encoding="latin-1")
            self.assertIsNone(self.profile().remembered())

    def test_relative_directories_are_ignored_as_the_standard_says(self) -> None:
        profile = Profile("default", {"XDG_STATE_HOME": "here"})
        self.assertEqual(profile.state, Path.home() / ".local/state/chatroom/default")
