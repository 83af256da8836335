"""The client over TLS: who is believed, who is asked about once, and who is never spoken to."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chat.client.api import ChatClient, NotConnected, Trust, Untrusted
from chat.client.events import Event, Stopped
from chat.client.network.tls import TlsEndpoint
from chat.client.network.trust import KnownServers, fingerprint_of
from chat.server.network.certificates import Certificates, fingerprint, self_signed
from tests.certificates import Authority
from tests.fake_server import FakeConnection, FakeServer
from tests.patience import PATIENCE
from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register

NOBODY = ":".join(["AB"] * 32)
"""A fingerprint that no certificate has."""


def digest(path: Path) -> str:
    return fingerprint(x509.load_pem_x509_certificates(path.read_bytes())[0])


class Listening(FakeServer):
    """A fake server that keeps every byte it hears, as it came out of the encryption."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = b""

    def buildProtocol(self, addr: IAddress | None) -> FakeConnection:
        connection = super().buildProtocol(addr)
        received = connection.dataReceived

        def listen(data: bytes) -> None:
            self.heard += data
            received(data)

        connection.dataReceived = listen  # type: ignore[method-assign]
        return connection


class Plain(Protocol):
    """Says something before it is asked, in plain."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"\0\0\0\x02{}")


class TrustTest(TestCase):
    """The library against a server with whatever certificate."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.authority = Authority(self.directory)
        self.server = Listening()

    def serve(self, pem: Path) -> str:
        """Listen with a certificate; the address."""
        self.certificates = Certificates(reactor, pem, pem)
        self.certificates.start()
        self.addCleanup(self.certificates.stop)
        factory = TLSMemoryBIOFactory(self.certificates, False, self.server)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(self.close, port)
        return f"tls:127.0.0.1:{port.getHost().port}"

    async def close(self, port: Any) -> None:
        await maybeDeferred(port.stopListening)
        ends = [connection.ended() for connection in self.server.connections]
        for connection in list(self.server.connections):
            connection.transport.loseConnection()
        await DeferredList(ends)

    def client(self, address: str, trust: Trust) -> ChatClient:
        client = ChatClient(reactor, address, device="d", trust=trust)
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        return client

    async def logs_in(self, pem: Path, trust: Trust) -> None:
        client = self.client(self.serve(pem), trust)
        await client.log_in("alice", "wonderland", timeout=0)
        await client.send("#lobby", "hello " * 2_500).stored()
        self.assertEqual(len(self.server.place("#lobby").entries), 1)

    async def distrusts(self, pem: Path, trust: Trust) -> Untrusted:
        client = self.client(self.serve(pem), trust)
        logging_in = Deferred.fromCoroutine(client.log_in("alice", "wonderland"))
        error: Untrusted = await self.assertFailure(logging_in, Untrusted)
        self.assertEqual(error.fingerprint, digest(pem))
        self.assertEqual(self.server.heard, b"", "nothing was said to it")
        return error

    async def test_whom_an_authority_vouches_for_is_believed(self) -> None:
        await self.logs_in(self.authority.issue("127.0.0.1"), Trust(self.authority.path))

    async def test_an_authority_that_is_not_known_vouches_for_nobody(self) -> None:
        error = await self.distrusts(self.authority.issue("127.0.0.1"), Trust())
        self.assertEqual(error.why, "nobody knows who vouches for it")

    async def test_a_certificate_of_somebody_else_is_not_believed(self) -> None:
        pem = self.authority.issue("chat.example")
        error = await self.distrusts(pem, Trust(self.authority.path))
        self.assertEqual(error.why, "it is not for 127.0.0.1")

    async def test_a_certificate_that_is_over_is_not_believed(self) -> None:
        pem = self.authority.issue("127.0.0.1", expired=True)
        error = await self.distrusts(pem, Trust(self.authority.path))
        self.assertEqual(error.why, "it has expired")

    async def test_a_self_made_one_is_not_believed_unless_it_is_known(self) -> None:
        pem = self_signed(self.directory)
        self.assertEqual((await self.distrusts(pem, Trust())).accepted, "")
        self.assertEqual((await self.distrusts(pem, Trust(fingerprint=NOBODY))).accepted, NOBODY)
        await self.logs_in(pem, Trust(fingerprint=digest(pem)))

    async def test_a_server_that_gets_a_real_certificate_is_believed(self) -> None:
        pem = self.authority.issue("127.0.0.1")
        await self.logs_in(pem, Trust(self.authority.path, NOBODY))

    async def test_where_no_tls_is_spoken_nobody_is_reached(self) -> None:
        port = reactor.listenTCP(0, Factory.forProtocol(Plain), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        client = self.client(f"tls:127.0.0.1:{port.getHost().port}", Trust())
        connecting = Deferred.fromCoroutine(client.connect(timeout=0))
        error = await self.assertFailure(connecting, NotConnected)
        self.assertIn("no TLS is spoken there", str(error))

    async def test_a_handshake_that_is_given_up_is_cancelled_and_the_connection_cut(self) -> None:
        connected, cut = Deferred[None](), Deferred[None]()

        class Silent(Protocol):
            def dataReceived(self, data: bytes) -> None:
                if not connected.called:
                    connected.callback(None)

            def connectionLost(self, reason: object = None) -> None:
                cut.callback(None)

        port = reactor.listenTCP(0, Factory.forProtocol(Silent), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        endpoint = TlsEndpoint(reactor, "127.0.0.1", port.getHost().port, Trust())
        connecting = endpoint.connect(Factory.forProtocol(Protocol))
        await connected
        connecting.cancel()
        await self.assertFailure(connecting, CancelledError)
        await cut

    async def test_who_speaks_plain_to_a_server_with_tls_is_told_what_to_write(self) -> None:
        address = self.serve(self_signed(self.directory)).removeprefix("tls:")
        client = self.client(address, Trust())
        logging_in = Deferred.fromCoroutine(client.log_in("alice", "wonderland", timeout=0))
        error = await self.assertFailure(logging_in, NotConnected)
        self.assertIn("write tls: before its name", str(error))

    async def test_when_the_certificate_changes_it_does_not_come_back(self) -> None:
        pem = self_signed(self.directory)
        client = self.client(self.serve(pem), Trust(fingerprint=digest(pem)))
        await client.log_in("alice", "wonderland", timeout=0)
        heard = self.server.heard
        other = self_signed(self.directory / "other")
        pem.write_bytes(other.read_bytes())
        self.certificates.reload()
        stopped: Deferred[Stopped] = Deferred()

        def hear(event: Event) -> None:
            state = getattr(event, "state", None)
            if isinstance(state, Stopped) and not stopped.called:
                stopped.callback(state)

        client.listen(hear)
        self.server.last.transport.abortConnection()
        state = await stopped
        assert state.error is not None
        self.assertEqual((state.code, state.error.fingerprint), (495, digest(other)))
        self.assertEqual(self.server.heard, heard)

    async def test_an_authority_that_cannot_be_read_is_one_clear_error(self) -> None:
        for path in (self.directory / "nothing.pem", Path(__file__)):
            with self.assertRaisesRegex(ValueError, "no certificates to be read"):
                ChatClient(reactor, "tls:127.0.0.1:1", trust=Trust(path))

    async def test_a_server_that_speaks_nothing_newer_than_tls_1_1_is_not_reached(self) -> None:
        pem = self_signed(self.directory)
        address = self.serve(pem)
        context = self.certificates._context
        assert context is not None
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        context.set_min_proto_version(0)
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        client = self.client(address, Trust(fingerprint=digest(pem)))
        connecting = Deferred.fromCoroutine(client.connect(timeout=0))
        error = await self.assertFailure(connecting, NotConnected)
        self.assertIn("no TLS is spoken there", str(error))


class FingerprintTest(SynchronousTestCase):
    def test_it_is_read_however_it_was_copied(self) -> None:
        digits = NOBODY.replace(":", "")
        for text in (NOBODY, digits, digits.lower(), f"sha256 Fingerprint={NOBODY}\n",
                     f"SHA-256: {NOBODY.lower()}", " ".join(NOBODY.split(":"))):  # fmt: skip
            self.assertEqual(fingerprint_of(text), NOBODY)
        for text in ("", "AB", NOBODY + ":AB", NOBODY[:-1], NOBODY.replace("A", "G")):
            self.assertRaises(ValueError, fingerprint_of, text)

    def test_what_was_accepted_is_kept_for_each_server_and_damage_is_not_believed(self) -> None:
        directory = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, directory)
        known = KnownServers(directory / "state" / "known.json")
        self.assertEqual(known.fingerprint("tls:a:1"), "")
        known.accept("tls:a:1", NOBODY)
        known.accept("tls:b:1", NOBODY.replace("A", "C"))
        self.assertEqual(known.fingerprint("tls:a:1"), NOBODY)
        self.assertEqual(known.path.stat().st_mode & 0o777, 0o600)
        known.path.write_text('{"tls:a:1": "AB", "tls:b:1": 7}')
        self.assertEqual((known.fingerprint("tls:a:1"), known.fingerprint("tls:b:1")), ("", ""))
        known.path.write_text("[")
        self.assertEqual(known.fingerprint("tls:a:1"), "")


class ProgramTest(SynchronousTestCase):
    """The commands and the screen, against a real server with a certificate of its own."""

    def setUp(self) -> None:
        self.server = ServerProcess.start_for(self, "--self-signed")
        self.home = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.address = f"tls:127.0.0.1:{self.server.port}"
        self.environ = client_environ(self.home, "C.UTF-8")

    @property
    def fingerprint(self) -> str:
        return digest(self.server.home / "data" / "tls.pem")

    def run_program(self, *words: str) -> tuple[int, str]:
        """The exit status of ``chatroom``, and what it complained about."""
        done = subprocess.run(
            [sys.executable, "-m", "chat.client.cli.main", *words, "--server", self.address],
            env={**self.environ, "CHATROOM_PASSWORD": "secret-ann"},
            capture_output=True, text=True, timeout=PATIENCE, start_new_session=True,
        )  # fmt: skip
        return done.returncode, done.stderr

    def test_a_script_is_told_the_fingerprint_and_says_it_once(self) -> None:
        status, said = self.run_program("register", "ann")
        self.assertEqual(status, 1)
        self.assertIn(self.fingerprint, said)
        self.assertIn("Nothing was sent", said)
        self.assertEqual(self.run_program("register", "ann", "--fingerprint", NOBODY)[0], 1)
        self.assertEqual(self.run_program("who")[0], 2, "nobody registered")
        given = ("--fingerprint", self.fingerprint.replace(":", "").lower())
        self.assertEqual(self.run_program("register", "ann", *given), (0, ""))
        self.assertEqual(self.run_program("who"), (0, ""))

    def test_an_authority_of_ones_own_is_enough(self) -> None:
        authority = Authority(self.home)
        pem = str(authority.issue("127.0.0.1"))
        server = ServerProcess.start_for(self, "--tls-cert", pem)
        self.address = f"tls:127.0.0.1:{server.port}"
        self.assertEqual(self.run_program("register", "ann")[0], 1)
        known = ("--ca", str(authority.path))
        self.assertEqual(self.run_program("register", "ann", *known), (0, ""))
        self.assertEqual(self.run_program("who", *known), (0, ""))
        status, said = self.run_program("who", "--ca", str(self.home / "nothing.pem"))
        self.assertEqual(status, 2, said)
        self.assertTrue(
            said.endswith(f"error: There is no file {self.home / 'nothing.pem'}.\n"), said
        )

    def test_a_person_is_asked_once_and_a_changed_one_is_refused(self) -> None:
        words = [sys.executable, "-m", "chat.client.cli.main", "register", "ann"]
        words += ["--server", self.address, "--password-command", "echo secret-ann"]
        with PtyScreen(words, self.environ, 120) as terminal:
            terminal.wait_for("[yes/no]")
            self.assertIn(self.fingerprint, terminal.text())
            terminal.type("yes\n")
            terminal.wait_for("ann")
            self.assertEqual(terminal.wait_ended(), 0, terminal.text())
        self.assertEqual(self.run_program("who"), (0, ""))
        pins = self.home / ".local" / "state" / "chatroom" / "known-servers.json"
        pins.write_text(pins.read_text().replace(self.fingerprint, NOBODY))
        for _ in range(2):
            status, said = self.run_program("who")
            self.assertEqual(status, 1)
            self.assertIn("somebody may be listening in between", said)
            for each in (NOBODY, self.fingerprint):
                self.assertIn(each, said)
        self.assertEqual(self.run_program("who", "--fingerprint", self.fingerprint), (0, ""))
        self.assertEqual(self.run_program("who"), (0, ""))

    def test_who_says_no_has_sent_nothing(self) -> None:
        words = [
            sys.executable,
            "-m",
            "chat.client.cli.main",
            "register",
            "ann",
            "--language",
            "zh",
        ]
        with PtyScreen([*words, "--server", self.address], self.environ, 120) as terminal:
            terminal.wait_for("从现在起信任它吗")
            terminal.type("\n")
            self.assertEqual(terminal.wait_ended(), 1, terminal.text())
            self.assertIn("未发送任何内容", terminal.text())
        self.assertFalse((self.home / ".local" / "state").exists())

    def test_the_screen_shows_the_certificate_and_goes_on_when_it_is_believed(self) -> None:
        with PtyScreen(client_command(self.address), self.environ, 100, 30) as screen:
            screen.wait_for("Trust this certificate from now on")
            shown = "".join(each.strip() for each in screen.lines())
            self.assertIn(self.fingerprint, shown)
            screen.type("5")
            register(screen, "ann")
            screen.press("ctrl q")
        with PtyScreen(client_command(self.address), self.environ, 100, 30) as screen:
            screen.wait_for("Write to #lobby")
