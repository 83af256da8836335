"""Passwords: hashed in threads, judged in equal time, refused rather than piled up."""

from typing import NamedTuple

from argon2.exceptions import VerifyMismatchError
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chat.server.guard.passwords import Busy, Passwords
from chat.store.errors import StoreUnavailable

CHEAP = (1, 8, 1)


class Client(NamedTuple):
    """Who sends a password."""

    origin: str
    closed: bool = False


class PasswordsTest(TestCase):
    def passwords(
        self,
        cost: tuple[int, int, int] = CHEAP,
        threads: int = 1,
        queue: int = 256,
        stops: bool = True,
    ) -> Passwords:
        from twisted.internet import reactor

        assert IReactorFromThreads.providedBy(reactor)
        made = Passwords(reactor, cost, threads, queue)
        made.start()
        if stops:
            self.addCleanup(lambda: ensureDeferred(made.stop()))
        return made

    async def test_the_right_password_fits_and_another_does_not(self) -> None:
        passwords = self.passwords()
        phc = await passwords.hash("correct horse")
        self.assertTrue(phc.startswith("$argon2id$v=19$m=8,t=1,p=1$"))
        self.assertTrue(await passwords.verify("correct horse", phc))
        self.assertFalse(await passwords.verify("correct horsf", phc))

    async def test_equal_passwords_have_different_hashes(self) -> None:
        passwords = self.passwords()
        self.assertNotEqual(await passwords.hash("secret"), await passwords.hash("secret"))

    async def test_a_broken_hash_fits_nothing(self) -> None:
        passwords = self.passwords()
        for phc in ("", "plain", "$argon2id$v=19$m=8,t=1,p=1$AA", "$argon2id$", "密码"):
            self.assertFalse(await passwords.verify("secret", phc), phc)
            self.assertTrue(passwords.needs_rehash(phc), phc)

    async def test_any_text_can_be_tried_as_a_password(self) -> None:
        passwords = self.passwords()
        phc = await passwords.hash("密码🔑\0")
        self.assertTrue(await passwords.verify("密码🔑\0", phc))
        for text in ("", "\ud800", "密码🔑", "x" * 65_536):
            self.assertFalse(await passwords.verify(text, phc))

    async def test_only_a_hash_made_at_another_cost_is_to_be_renewed(self) -> None:
        phc = await self.passwords().hash("secret")
        self.assertFalse(self.passwords().needs_rehash(phc))
        dearer = self.passwords(cost=(1, 16, 1))
        self.assertTrue(dearer.needs_rehash(phc))
        self.assertTrue(await dearer.verify("secret", phc))

    async def test_a_decoy_costs_what_a_real_hash_costs(self) -> None:
        passwords = self.passwords(cost=(3, 64, 2))
        decoy = passwords.decoy
        self.assertFalse(await passwords.verify("secret", decoy))
        real = await passwords.hash("secret")
        self.assertEqual(decoy.split("$")[:4], real.split("$")[:4])
        self.assertEqual(
            [len(part) for part in decoy.split("$")], [len(p) for p in real.split("$")]
        )
        # A string that is well formed is compared in full; a broken one would be refused at once.
        with self.assertRaises(VerifyMismatchError):
            passwords._hasher.verify(decoy, "secret")

    async def test_no_more_wait_than_may(self) -> None:
        passwords = self.passwords(threads=2, queue=3)
        taken = [ensureDeferred(passwords.hash("secret")) for _ in range(5)]
        with self.assertRaises(Busy) as refused:
            await passwords.hash("secret")
        self.assertIsInstance(refused.exception, StoreUnavailable)
        self.assertGreater(refused.exception.retry_after, 0)
        for each in taken:
            self.assertTrue((await each).startswith("$argon2id$"))
        self.assertTrue(await passwords.hash("secret"))

    async def test_a_queue_of_0_is_unbounded(self) -> None:
        passwords = self.passwords(threads=1, queue=0)
        taken = [ensureDeferred(passwords.hash("secret")) for _ in range(50)]
        for each in taken:
            await each

    async def test_an_address_that_sends_very_many_keeps_nobody_else_waiting(self) -> None:
        passwords = self.passwords(queue=8)
        done: list[str] = []

        async def ask(origin: str) -> None:
            try:
                await passwords.verify("secret", "", Client(origin))
            except Busy:
                done.append(f"{origin} refused")
            else:
                done.append(origin)

        flood = [ensureDeferred(ask("flood")) for _ in range(9)]
        others = [ensureDeferred(ask(each)) for each in ("ann", "ann", "bob")]
        self.assertEqual(done, ["flood refused"] * 3, "the last ones make room for others")
        await ensureDeferred(ask("flood"))
        for each in [*flood, *others]:
            await each
        self.assertEqual(done[3:], ["flood refused", "flood", "flood", "ann", "bob", "flood", "ann",
                                    "flood", "flood", "flood"])  # fmt: skip

    async def test_what_nobody_waits_for_any_more_is_not_worked_on(self) -> None:
        passwords = self.passwords(cost=(1, 1024, 1))
        clients = [Client("here", closed=number % 2 == 1) for number in range(200)]
        asked = [ensureDeferred(passwords.hash("secret", each)) for each in clients]
        for client, each in zip(clients, asked, strict=True):
            if client.closed:
                with self.assertRaises(Busy):
                    await each
            else:
                self.assertTrue((await each).startswith("$argon2id$"))
        self.assertEqual(passwords.waiting, 0)

    async def test_stopping_refuses_what_waits_and_what_comes(self) -> None:
        passwords = self.passwords(cost=(1, 1024, 1), threads=1, stops=False)
        waiting = DeferredList(
            [ensureDeferred(passwords.hash("secret")) for _ in range(50)], consumeErrors=True
        )
        await passwords.stop()
        _, last = (await waiting)[-1]
        assert isinstance(last, Failure)
        self.assertIsInstance(last.value, Busy)
        with self.assertRaises(Busy):
            await passwords.verify("secret", "")
