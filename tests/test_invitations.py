"""Who may register: everybody, nobody, or who has a code; the codes, against a real store."""

import re

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from chat.store.accounts import Accounts
from chat.store.errors import NameTaken, NotInvited, Unknown
from chat.store.invitations import Invitations
from chat.store.keys import Keys
from tests.connections import connected_to
from tests.peers import PASSWORD, CurrentPeer, OriginalPeer
from tests.process import ServerProcess
from tests.valkey import Valkey, start_for

KEYS = Keys("t:")


class StoreCase(TestCase):
    valkey: Valkey


class InvitationsTest(StoreCase):
    async def setUp(self) -> None:
        self.valkey = start_for(self)
        redis = await connected_to(self, self.valkey.url)
        self.invitations = Invitations(redis, KEYS)
        self.accounts = Accounts(redis, KEYS)

    async def register(self, code: str, user_id: int = 0, name: str = "") -> bool:
        """Whether somebody gets in with a code."""
        try:
            await self.accounts.register(user_id, name, "phc", "", code)
        except NotInvited:
            return False
        return True

    async def test_a_code_is_good_for_as_many_as_it_was_made_for(self) -> None:
        code, invitation = await self.invitations.make(uses=3, note="the team")
        self.assertRegex(code, r"\A[A-Z2-7]{4}(-[A-Z2-7]{4}){3}\Z")
        attempts = [Deferred.fromCoroutine(self.register(code)) for _ in range(10)]
        results = await DeferredList(attempts)
        self.assertEqual(sum(bool(result) for _, result in results), 3)
        self.assertFalse(await self.invitations.holds(code))
        (listed,) = await self.invitations.listed()
        self.assertEqual((listed.left, listed.note, listed.made), (0, "the team", invitation.made))

    async def test_a_code_may_be_written_as_people_write(self) -> None:
        code, _ = await self.invitations.make()
        self.assertTrue(await self.invitations.holds(f" {code.lower().replace('-', ' ')}\n"))
        self.assertFalse(await self.invitations.holds(code[:-1]))
        self.assertFalse(await self.invitations.holds(""))

    async def test_who_cannot_register_uses_nothing_up(self) -> None:
        code, _ = await self.invitations.make()
        await self.register((await self.invitations.make())[0], 7, "ann")
        for user_id, name in ((7, "bob"), (8, "ann"), (0, "ann")):
            attempt = Deferred.fromCoroutine(self.register(code, user_id, name))
            await self.assertFailure(attempt, NameTaken)
        self.assertTrue(await self.register(code, 0, "bob"))
        self.assertFalse(await self.register(code, 0, "carol"))

    async def test_what_has_ended_or_was_withdrawn_is_of_no_use(self) -> None:
        short, _ = await self.invitations.make(seconds=0.01)
        gone, invitation = await self.invitations.make()
        await self.invitations.withdraw(invitation.invitation_id)
        while await self.invitations.holds(short):
            await deferLater(reactor, 0.005)
        for code in (short, gone):
            self.assertFalse(await self.register(code))
        self.assertEqual(await self.invitations.listed(), [])
        self.assertEqual(self.valkey.ask("SCARD", "t:invs"), 0)
        again = Deferred.fromCoroutine(self.invitations.withdraw(invitation.invitation_id))
        await self.assertFailure(again, Unknown)

    async def test_the_newest_is_listed_first_with_its_end(self) -> None:
        first, second = [(await self.invitations.make(seconds=60))[1] for _ in range(2)]
        listed = await self.invitations.listed()
        self.assertEqual({each.invitation_id for each in listed},
                         {first.invitation_id, second.invitation_id})  # fmt: skip
        self.assertGreaterEqual(listed[0].made, listed[1].made)
        self.assertEqual(listed[0].ends - listed[0].made, 60_000)

    async def test_no_code_is_in_the_store(self) -> None:
        code, _ = await self.invitations.make()
        kept = "".join(
            str(self.valkey.ask(command, key))
            for command, key in (("SMEMBERS", "t:invs"), ("KEYS", "*"))
        )
        self.assertNotIn(code.replace("-", ""), re.sub("-", "", kept))

    async def test_one_that_nobody_could_use_is_refused(self) -> None:
        for uses, seconds in ((0, 60.0), (1, 0.0)):
            made = Deferred.fromCoroutine(self.invitations.make(uses, seconds))
            await self.assertFailure(made, ValueError)


class RegistrationTest(StoreCase):
    """The option, from outside."""

    def peer(self, server: ServerProcess) -> CurrentPeer:
        peer = CurrentPeer(server.port)
        self.addCleanup(peer.close)
        return peer

    def test_closed_is_closed_for_both_generations(self) -> None:
        server = ServerProcess.start_for(self, "--registration", "closed")
        refused = self.peer(server).register(userName="ann", userPwd=PASSWORD)
        self.assertEqual((refused["code"], refused["invitation"]), (506, False))
        original = OriginalPeer(server.port)
        self.addCleanup(original.close)
        self.assertEqual(original.register(100, "ann")["code"], 506)

    def test_common_passwords_can_be_refused_for_new_ones(self) -> None:
        server = ServerProcess.start_for(self, "--refuse-common-passwords")
        peer = self.peer(server)
        for common in ("123456", "Password1", "ann-ann"):
            self.assertEqual(peer.register(userName="ann-ann", userPwd=common)["code"], 506)
        self.assertEqual(peer.register(userName="ann-ann", userPwd=PASSWORD)["code"], 200)
        peer.log_in(userName="ann-ann", userPwd=PASSWORD, device="d")
        reply = peer.ask("PasswordMes", userPwd=PASSWORD, newPwd="qwerty123")
        self.assertEqual(reply["code"], 400)

    async def test_with_a_code_one_gets_in_and_without_nobody(self) -> None:
        valkey = start_for(self)
        server = ServerProcess.start_for(
            self, "--registration", "invitation", "--store", valkey.url, "--language", "zh"
        )
        code, _ = await Invitations(await connected_to(self, valkey.url), Keys()).make()
        peer, user = self.peer(server), {"userName": "ann", "userPwd": PASSWORD}
        for given, said in (
            ({}, "在此注册需要邀请码。"),
            ({"invitation": " "}, "在此注册需要邀请码。"),
            ({"invitation": "AAAA-BBBB"}, "该邀请码错误、已用完或已过期。"),
        ):
            reply = peer.ask("RegisterMes", version=2, user=user, **given)
            found = (reply["code"], reply["error"], reply["invitation"])
            self.assertEqual(found, (506, said, True))
        reply = peer.ask("RegisterMes", version=2, user=user, invitation=code)
        self.assertEqual(reply["code"], 200, reply)
        user["userName"] = "bob"
        reply = peer.ask("RegisterMes", version=2, user=user, invitation=code)
        self.assertEqual(reply["code"], 506)
