"""A store behind TLS: whom we believe, and what we show of ourselves."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, PrivateCertificate
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from chat.store.errors import CannotStart
from chat.store.link.address import Address
from chat.store.link.pubsub import Subscriber
from chat.store.link.reaching import endpoint
from tests.certificates import Authority
from tests.connections import starting, usable
from tests.patience import PATIENCE
from tests.process import twistd
from tests.proxy import Proxy
from tests.valkey import start_for


def pack(words: list[bytes], start: bytes = b"*") -> bytes:
    """A command, or an array, as it is written."""
    return start + b"%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


class SecuredStoreTest(TestCase):
    """``rediss://`` against a real store behind an end of TLS, since ours has none of its own."""

    async def secured(self, certificate: Path, clients: Authority | None = None) -> int:
        """A port that speaks TLS with ``certificate``; with ``clients`` it wants one of theirs."""
        self.valkey = start_for(self)
        authority = Certificate.loadPEM(clients.path.read_bytes()) if clients else None
        options = PrivateCertificate.loadPEM(certificate.read_bytes()).options(
            *([authority] if authority else [])
        )
        proxy = Proxy(self.valkey.path)
        self.addCleanup(proxy.cut)
        endpoint = SSL4ServerEndpoint(reactor, 0, options, interface="127.0.0.1")
        port: Any = await endpoint.listen(proxy)
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    def authority(self, name: str = "authority") -> Authority:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return Authority(Path(directory.name), name)

    async def why_not(self, url: str) -> str:
        """What the log says of a store that can't be connected to."""
        said: Deferred[str] = Deferred()

        def heard(event: Any) -> None:
            if "why" in event and not said.called:
                said.callback(str(event["why"]))

        globalLogPublisher.addObserver(heard)
        self.addCleanup(globalLogPublisher.removeObserver, heard)
        redis = starting(self, url)
        why = await said.addTimeout(PATIENCE, reactor)
        self.assertFalse(redis.connected)
        return why

    async def test_a_store_that_our_authority_vouches_for_is_used(self) -> None:
        authority = self.authority()
        port = await self.secured(authority.issue("127.0.0.1"))
        url = f"rediss://127.0.0.1:{port}?ca={authority.path}"
        redis = starting(self, url)
        await usable(redis)
        heard: Deferred[bytes] = Deferred()
        subscriber = Subscriber(
            reactor,
            Address.parse(url),
            on_message=lambda channel, payload: heard.callback(payload),
            on_batch_end=lambda: None,
            on_connected=lambda: subscriber.subscribe(b"c").addCallback(
                lambda _: redis.call("PUBLISH", "c", "hello")
            ),
            on_lost=lambda: None,
        )
        subscriber.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(subscriber.stop()))
        self.assertEqual(await heard.addTimeout(PATIENCE, reactor), b"hello")

    async def test_a_store_that_nobody_we_believe_vouches_for_is_not(self) -> None:
        port = await self.secured(self.authority().issue("127.0.0.1"))
        for url in (
            f"rediss://127.0.0.1:{port}",
            f"rediss://127.0.0.1:{port}?ca={self.authority('other').path}",
        ):
            self.assertIn("certificate verify failed", await self.why_not(url))

    async def test_another_hosts_certificate_is_believed_only_by_that_name(self) -> None:
        authority = self.authority()
        port = await self.secured(authority.issue("store.example"))
        url = f"rediss://127.0.0.1:{port}?ca={authority.path}"
        self.assertIn("IPAddressMismatch", await self.why_not(url))
        redis = starting(self, f"{url}&name=store.example")
        await usable(redis)

    async def test_a_certificate_that_has_expired_is_not_believed(self) -> None:
        authority = self.authority()
        port = await self.secured(authority.issue("127.0.0.1", expired=True))
        why = await self.why_not(f"rediss://127.0.0.1:{port}?ca={authority.path}")
        self.assertIn("certificate verify failed", why)

    async def test_a_store_that_wants_to_know_us_gets_our_certificate(self) -> None:
        authority = self.authority()
        port = await self.secured(authority.issue("127.0.0.1"), clients=authority)
        url = f"rediss://127.0.0.1:{port}?ca={authority.path}"
        self.assertTrue(await self.why_not(url))
        redis = starting(self, f"{url}&cert={authority.issue('server')}")
        await usable(redis)

    async def test_user_and_password_go_through_it(self) -> None:
        authority = self.authority()
        port = await self.secured(authority.issue("127.0.0.1"))
        self.valkey.ask("ACL", "SETUSER", "chat", "on", ">secret", "+@all", "~*", "&*")
        self.valkey.ask("ACL", "SETUSER", "default", "off")
        where = f"127.0.0.1:{port}?ca={authority.path}"
        self.assertIn("does not let us in", await self.why_not(f"rediss://chat:wrong@{where}"))
        redis = starting(self, f"rediss://chat:secret@{where}")
        await usable(redis)

    async def test_behind_sentinels_they_and_the_store_are_spoken_to_in_secret(self) -> None:
        authority = self.authority()
        certificate = authority.issue("127.0.0.1")
        port = await self.secured(certificate)
        said: list[bytes] = []

        class Sentinel(Protocol):
            """Says where the store is, to whoever has the password."""

            def dataReceived(self, data: bytes) -> None:
                said.append(data)
                words = [b"ip", b"127.0.0.1", b"port", b"%d" % port, b"config-epoch", b"0"]
                transport: Any = self.transport
                transport.write(b"+OK\r\n" + pack(words, b"*"))

        options = PrivateCertificate.loadPEM(certificate.read_bytes()).options()
        endpoint = SSL4ServerEndpoint(reactor, 0, options, interface="127.0.0.1")
        listening: Any = await endpoint.listen(Factory.forProtocol(Sentinel))
        self.addCleanup(listening.stopListening)
        where = f"127.0.0.1:{listening.getHost().port}/chat"
        redis = starting(
            self, f"rediss+sentinel://{where}?ca={authority.path}&sentinel-password=quiet"
        )
        await usable(redis)
        self.assertEqual(
            said[0], pack([b"AUTH", b"quiet"]) + pack([b"SENTINEL", b"MASTER", b"chat"])
        )
        refused = await self.why_not(f"rediss+sentinel://{where}?sentinel-password=quiet")
        self.assertIn("no Sentinel knows", refused)

    def test_files_that_are_no_use_are_one_sentence(self) -> None:
        with self.assertRaisesRegex(CannotStart, "--store: cannot read /no/such: No such file"):
            endpoint(reactor, Address.parse("rediss://h?ca=/no/such"), lambda place: None)
        with self.assertRaisesRegex(CannotStart, "no certificate"):
            endpoint(reactor, Address.parse(f"rediss://h?ca={__file__}"), lambda place: None)
        with self.assertRaisesRegex(CannotStart, "holds no PEM"):
            endpoint(reactor, Address.parse(f"rediss://h?cert={__file__}"), lambda place: None)

    def test_a_server_that_cannot_read_them_says_so_and_no_more(self) -> None:
        home = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, home)
        words = ["--store", "rediss://h?ca=/no/such", "--listen", "unix:s", "--data", "d"]
        done = twistd("-n", "--pidfile=", "chatroom", *words, cwd=home)
        sentence = "chatroom: --store: cannot read /no/such: No such file or directory\n"
        self.assertEqual((done.returncode, done.stderr), (1, sentence))
        self.assertNotIn("Traceback", done.stdout)
