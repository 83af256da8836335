"""What went wrong, as it is said to a person: in the reader's language, wherever it came from."""

import io
from unittest import TestCase

from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
)

from chat.client.cli.printing import Printer
from chat.client.delivery.sender import TOO_LATE, TOO_LONG
from chat.client.errors import BadServer, Closed, FateUnknown, NotConnected, Refused
from chat.client.language.cli_words import Phrases
from chat.client.language.reasons import reason
from chat.client.language.words import LANGUAGES, Words
from chat.client.model import Model
from chat.client.network.tls import REASONS
from chat.client.network.wire import WORDLESS
from chat.client.tui.sentences import INVITATION, account_flaw, login_flaw, password_flaw, sentence
from chat.client.tui.telling import Telling
from chat.store.moderation import ACTIONS
from tests.tui_builders import CHEN, entry, look

EN, ZH = Words("en"), Words("zh")


class ReasonTests(TestCase):
    def test_what_the_network_says_is_said_in_the_readers_words(self) -> None:
        for error, wanted in (
            (ConnectionRefusedError(111, "Connection refused"), "nobody listens there"),
            (DNSLookupError("no such name"), "there is no such host"),
            (TCPTimedOutError(110, "x"), "it did not answer in time"),
            (NoRouteError(113, "x"), "the network cannot be reached"),
            ("the server gives no sign of life", "the server gave no sign of life"),
            ("this machine was asleep", "this machine was asleep"),
            ("the connection was lost", "the connection broke"),
            ("no TLS is spoken there (it only hung up)", "what answers there speaks no TLS"),
            ("it is not for example.org", "it is for another name"),
            *((why, why) for why in REASONS.values()),
            (TOO_LATE.sentence, "it may have arrived long ago, and would then be there twice"),
            (TOO_LONG.sentence, "it is longer than the server takes"),
        ):
            self.assertEqual(reason(str(error), EN), wanted)
            self.assertFalse(reason(str(error), ZH).isascii(), error)

    def test_what_nobody_knows_stays_as_it_was_said(self) -> None:
        self.assertEqual(reason("going down for maintenance", ZH), "going down for maintenance")


class EntryTests(TestCase):
    def test_every_kind_of_entry_says_something_on_the_screen_and_on_the_command_line(self) -> None:
        roles = {"owner", "moderator", "member"}
        kinds = ACTIONS - roles - {"uninvite"} | {"role", "topic", "join", "leave", "erase"}
        for language in LANGUAGES:
            telling, output = Telling(Model(), look(language)), io.StringIO()
            printer = Printer(output, False, Phrases(language))
            for kind in sorted(kinds):
                happened = entry(1, kind=kind, target=CHEN.user_id, target_name=CHEN.user_name)
                self.assertTrue(telling.instead(happened), kind)
                printer.entry(happened, "#lobby")
            self.assertEqual(output.getvalue().count("\n"), len(kinds))

    def test_how_long_and_why_is_said_in_the_readers_language(self) -> None:
        muted = entry(1, kind="mute", target=3, target_name="陈", seconds=129_600, content="loud")
        slow = entry(2, kind="slow", seconds=30)
        for language, one, two in (
            ("en", "ben muted 陈 for 1d12h (loud)", "30s"),
            ("zh", "ben 禁言了 陈，为期 1 天 12 小时（loud）", "每 30 秒一条消息"),
        ):
            telling = Telling(Model(), look(language))
            self.assertEqual(telling.instead(muted), one)
            self.assertIn(two, str(telling.instead(slow)))

    def test_what_moderators_did_is_no_message_on_the_command_line(self) -> None:
        muted = entry(1, kind="mute", target=3, target_name="陈", seconds=129_600, content="loud")
        slow = entry(2, kind="slow", seconds=30)
        for language, one, two in (
            ("en", "ben muted 陈 for 1d12h (loud)", "ben set slow mode, one message in 30s"),
            (
                "zh",
                "ben 禁言了 陈，为期 1 天 12 小时（loud）",
                "ben 开启了慢速模式：每 30 秒一条消息",
            ),
        ):
            output = io.StringIO()
            printer = Printer(output, False, Phrases(language))
            printer.entry(muted, "#lobby")
            printer.entry(slow, "#lobby")
            said = [line.split(" #lobby ")[1] for line in output.getvalue().splitlines()]
            self.assertEqual(said, [one, two])

    def test_an_announcement_is_said_to_be_one(self) -> None:
        told = entry(1, kind="announce", content="at noon")
        self.assertEqual(Telling(Model(), look("en")).instead(told), "Announcement: at noon")
        self.assertEqual(Telling(Model(), look("zh")).instead(told), "公告：at noon")

    def test_whose_account_was_deleted_is_not_said(self) -> None:
        gone = entry(9, kind="erase", target=CHEN.user_id)
        for language, wanted in (("en", "An account was deleted"), ("zh", "一个账号被删除")):
            model = Model()
            model.people_are([CHEN])
            said = Telling(model, look(language)).instead(gone)
            self.assertIn(wanted, str(said))
            self.assertNotIn(CHEN.user_name, str(said))


class SentenceTests(TestCase):
    def test_the_library_speaks_english_and_the_screen_does_not(self) -> None:
        for error in (NotConnected("x"), Closed("x"), FateUnknown("x"), BadServer("x")):
            self.assertFalse(sentence(error, ZH).isascii())
            self.assertNotEqual(sentence(error, EN), "x")

    def test_who_forgets_about_tls_is_told_of_it_where_no_answer_came(self) -> None:
        self.assertIn("write tls: before its name", sentence(FateUnknown(WORDLESS), EN))
        self.assertIn("tls:", sentence(FateUnknown(WORDLESS), ZH))

    def test_the_servers_own_words_are_its_own(self) -> None:
        self.assertEqual(sentence(Refused(403, "您没有权限"), EN), "您没有权限")

    def test_a_login_that_was_refused(self) -> None:
        self.assertEqual(login_flaw(Refused(403, "no"), EN), ("The password is wrong.", 1))
        said, place = login_flaw(Refused(500, "no"), EN)
        self.assertIn("Nobody has that name", said)
        self.assertEqual(place, 0)
        self.assertEqual(login_flaw(Refused(429, "later"), EN), ("later", None))

    def test_a_password_that_was_not_changed(self) -> None:
        for code, new, wanted in (
            (403, "longer", ("The password is wrong.", 0)),
            (506, "short", (EN("password-short"), 1)),
            (506, "longer", ("too common", None)),
        ):
            self.assertEqual(password_flaw(Refused(code, "too common"), new, EN), wanted)

    def test_an_account_that_was_refused_says_what_can_be_mended(self) -> None:
        for code, name, password, wanted, at in (
            (505, "anna", "secret", "Somebody has that name", 0),
            (506, "anna", "short", "at least 6", 1),
            (506, "anna", "x" * 129, "at most 128", 1),
            (506, "an na", "secret", "#, @, a space", 0),
            (506, "123", "secret", "no digit", 0),
            (506, "x" * 33, "secret", "at most 32", 0),
            (506, "аnna", "short", "alphabets", 0),
        ):
            refused = Refused(code, "the server's words")
            said, place = account_flaw(refused, name, password, EN)
            self.assertIn(wanted, said)
            self.assertEqual(place, at)
            self.assertFalse(account_flaw(refused, name, password, ZH)[0].isascii())

    def test_a_code_is_asked_for_only_where_it_may_help(self) -> None:
        for refused, place in (
            (Refused(506, "not so"), INVITATION),
            (Refused(506, "later", retry_after=60), None),
            (Refused(503, "busy"), None),
            (Refused(506, "closed", invitation=False), None),
            (Refused(506, "a code, please", invitation=True), INVITATION),
        ):
            self.assertEqual(account_flaw(refused, "anna", "secret", EN), (str(refused), place))

    def test_every_flaw_of_a_name_has_its_words(self) -> None:
        for language in LANGUAGES:
            for key in ("name-empty", "name-mixed", "password-character"):
                self.assertIn(key, Words(language))
