"""TLS: certificates of one's own and of others, replaced while connections stay."""

import contextlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from twisted.internet.ssl import CertificateOptions, PrivateCertificate, TLSVersion
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger
from twisted.trial.unittest import SynchronousTestCase

from chat.server.network.certificates import DAY, Certificates, fingerprint, self_signed
from chat.server.options import Options
from chat.server.settings import Settings
from chat.store.errors import CannotStart
from tests.certificates import Authority
from tests.peers import PASSWORD, CurrentPeer
from tests.process import ServerProcess, twistd


def trusting() -> ssl.SSLContext:
    """A client's side that takes every certificate, and speaks every version it can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


OF_NO_USE = """-----BEGIN EC PRIVATE KEY-----
MF8CAQEEGBqpALd3aAFbaBTbVvfEXh52M/LfY/fhvKAKBggqhkjOPQMBAqE0AzIA
BKcNGzROsWHeh+xFhdrz78ksDEooJF4ymw+OQrlHvE9ddU0tscFYQzjnhx45LXhk
ug==
-----END EC PRIVATE KEY-----
"""
"""As ``openssl ecparam -name prime192v2 -genkey`` makes it: a curve that nobody else has."""


class TlsPeer(CurrentPeer):
    """A current client over TLS.

    :ivar certificate: what the server showed, in DER form.
    """

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        super().__init__(port)
        self.socket: Any = (context or trusting()).wrap_socket(self.socket)
        self.certificate = self.socket.getpeercert(binary_form=True)


class TlsCase(SynchronousTestCase):
    def directory(self) -> Path:
        path = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, path)
        return path

    def certificate(self) -> Path:
        """A new certificate with its key, in one file."""
        return self_signed(self.directory())

    def split(self) -> tuple[Path, Path]:
        """A new certificate, and its key, each in a file of its own."""
        both = self.certificate()
        head, mark, tail = both.read_text().partition("-----BEGIN CERTIFICATE-----")
        key, certificate = both.with_name("key.pem"), both.with_name("cert.pem")
        key.write_text(head)
        certificate.write_text(mark + tail)
        return certificate, key


def digest(path: Path) -> str:
    return fingerprint(x509.load_pem_x509_certificates(path.read_bytes())[0])


class ServerTest(TlsCase):
    def server(self, *options: str) -> ServerProcess:
        return ServerProcess.start_for(self, *options)

    def peer(self, server: ServerProcess, context: ssl.SSLContext | None = None) -> TlsPeer:
        peer = TlsPeer(server.port, context)
        self.addCleanup(peer.close)
        return peer

    def logged_in(self, server: ServerProcess, name: str) -> TlsPeer:
        peer = self.peer(server)
        peer.register(userName=name, userPwd=PASSWORD)
        self.assertEqual(peer.log_in(userName=name, userPwd=PASSWORD, device="d")["code"], 200)
        return peer

    def test_nobody_else_may_put_another_in_place_of_a_certificate_that_it_made(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        with tempfile.TemporaryDirectory() as home:
            made = self_signed(Path(home) / "not" / "there").parent
            modes = [path.stat().st_mode & 0o777 for path in (made, made.parent)]
        self.assertEqual(modes, [0o700] * 2)

    def test_it_makes_a_certificate_for_itself_and_keeps_it(self) -> None:
        server = self.server("--self-signed")
        alice, bob = self.logged_in(server, "alice"), self.logged_in(server, "bob")
        text = "x" * 16_000  # more than one TLS record, once it is an answer
        for number in range(5):
            alice.post("@bob", f"{number}{text}")
            bob.hears(f"{number}{text}")
        self.assertEqual(len(bob.get("HistoryMes", conversation="@alice")["messages"]), 3)
        path = server.home / "data" / "tls.pem"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertIn(digest(path), server.log)
        shown = alice.certificate
        for each in (alice, bob):
            each.close()
        server.stop()
        server.start()
        self.assertEqual(self.peer(server).certificate, shown)

    def test_tls_1_2_and_1_3_are_spoken_and_nothing_plain(self) -> None:
        server = self.server("--self-signed")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting()
            context.minimum_version = context.maximum_version = version
            self.peer(server, context).ping()
        plain = CurrentPeer(server.port)
        self.addCleanup(plain.close)
        plain.send("PingMes")
        self.assertNotIn(b"PongMes", plain.socket.recv(1_000))

    def test_a_port_may_stay_plain_and_an_endpoint_may_bring_its_own_certificate(self) -> None:
        own, key = self.split()
        endpoint = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={own}"
        server = self.server(
            "--self-signed", "--listen", "plain:tcp:0:interface=127.0.0.1", "--listen", endpoint
        )
        ports = [
            int(server.wait_for_log(rf"Listening on 127\.0\.0\.1:(\d+){how}")[1])
            for how in (" with TLS", ", for this .* tcp:", " with TLS.* ssl:")
        ]
        plain = CurrentPeer(ports[1])
        self.addCleanup(plain.close)
        plain.ping()
        for port, path in ((ports[0], server.home / "data" / "tls.pem"), (ports[2], own)):
            peer = TlsPeer(port)
            self.addCleanup(peer.close)
            peer.ping()
            shown = x509.load_der_x509_certificate(peer.certificate)
            self.assertEqual(fingerprint(shown), digest(path))

    def test_a_hangup_reads_the_files_again_and_running_connections_stay(self) -> None:
        (certificate, key), other, third = self.split(), self.split(), self.certificate()
        server = self.server("--tls-cert", str(certificate), "--tls-key", str(key))
        before = self.logged_in(server, "alice")
        certificate.write_bytes(third.read_bytes())  # not the key's
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("is not replaced: .*key.pem is not the key of .*cert.pem")
        self.assertEqual(self.peer(server).certificate, before.certificate)
        certificate.write_bytes(other[0].read_bytes())
        key.write_bytes(other[1].read_bytes())
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(digest(other[0]))
        after = self.logged_in(server, "bob")
        self.assertNotEqual(after.certificate, before.certificate)
        before.post("@bob", "still the same connection")
        after.hears("still the same connection")

    def test_what_cannot_be_used_is_one_sentence_and_status_1(self) -> None:
        (certificate, key), other = self.split(), self.certificate()
        weak = Authority(self.directory()).issue("localhost", weak=True)
        nothing = self.directory() / "nothing.pem"
        encrypted = nothing.with_name("encrypted.pem")
        encrypted.write_bytes(
            serialization.load_pem_private_key(key.read_bytes(), None).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.BestAvailableEncryption(b"x"),
            )
        )
        odd = nothing.with_name("odd.pem")
        odd.write_text(OF_NO_USE)
        for given, said in {
            (certificate, other): f"{other} is not the key of {certificate}",
            (key, key): f"{key} has no certificate in PEM form",
            (certificate, certificate): f"{certificate} has no private key in PEM form",
            (nothing, key): f"cannot read {nothing}: No such file or directory",
            (certificate, encrypted): f"the key in {encrypted} is encrypted",
            (weak, weak): f"OpenSSL refuses {weak} (ee key too small)",
        }.items():
            with self.assertRaises(CannotStart) as caught:
                Certificates(Clock(), *given).start()
            self.assertEqual(str(caught.exception), f"TLS: {said}")
        with self.assertRaises(CannotStart) as caught:
            Certificates(Clock(), certificate, odd).start()
        # Why, each version of cryptography says in words of its own.
        self.assertRegex(str(caught.exception), rf"^TLS: {odd} is of no use for TLS \(.+\)$")
        words = ["--listen", "tcp:0:interface=127.0.0.1", "--tls-cert", str(nothing)]
        home = self.directory()
        done = twistd("-n", "--pidfile=", "chatroom", "--data", "d", *words, cwd=home)
        self.assertEqual(done.returncode, 1)
        sentence = f"chatroom: TLS: cannot read {nothing}: No such file or directory\n"
        self.assertEqual(done.stderr, sentence)

    def test_who_listens_to_the_world_in_plain_is_told_so(self) -> None:
        loud = "NOT ENCRYPTED: on 0.0.0.0:.* --self-signed"
        server = self.server("--listen", "tcp:0", "--listen", "unix:s")
        server.wait_for_log(loud)
        self.assertEqual(server.log.count("NOT ENCRYPTED"), 1)
        server = self.server("--listen", "tcp:0", "--self-signed")
        server.wait_for_log("Listening on 0.0.0.0:.* with TLS")
        self.assertNotIn("NOT ENCRYPTED", server.log)


class OptionsTest(SynchronousTestCase):
    def settings(self, *words: str) -> Settings:
        options = Options()
        options.parseOptions(words)
        return options.settings

    def test_a_flag_stands_alone_and_a_file_says_yes_or_no(self) -> None:
        self.assertFalse(self.settings().self_signed)
        self.assertTrue(self.settings("--self-signed").self_signed)
        for written, meant in {"true": True, "false": False, '"yes"': True}.items():
            with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                file.write(f"self-signed = {written}\ntls-cert = ''\n")
                file.flush()
                read = self.settings("--config", file.name)
            self.assertEqual((read.self_signed, read.tls_cert), (meant, None))

    def test_two_certificates_and_a_key_without_one_are_refused(self) -> None:
        self.assertEqual(self.settings("--tls-cert", "/a").tls_cert, Path("/a"))
        for words in (["--self-signed", "--tls-cert", "a"], ["--tls-key", "a"]):
            with self.assertRaises(SystemExit):
                self.settings(*words)

    def test_a_plain_endpoint_is_judged_like_any_other(self) -> None:
        self.assertEqual(self.settings("--listen", "plain:tcp:1").listen, ("plain:tcp:1",))
        with self.assertRaises(SystemExit):
            self.settings("--listen", "plain:nonsense:1")


class WatchingTest(TlsCase):
    """The files are looked at every two seconds, and read when they look the same twice."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.files = self.split()
        self.certificates = Certificates(self.clock, *self.files)
        self.certificates.start()
        self.addCleanup(self.certificates.stop)

    def served(self) -> bytes:
        """The certificate of a handshake that would begin now."""
        server, client = self.certificates.serverConnectionForTLS(None), ssl.MemoryBIO()
        answer = ssl.MemoryBIO()
        talk = trusting().wrap_bio(answer, client)
        server.set_accept_state()
        for _ in range(3):
            try:
                talk.do_handshake()
            except ssl.SSLWantReadError:
                server.bio_write(client.read())
                with contextlib.suppress(SSL.WantReadError):
                    server.do_handshake()
                answer.write(server.bio_read(65_536))
        return talk.getpeercert(binary_form=True) or b""

    def replace(self, file: int, other: tuple[Path, Path]) -> None:
        os.replace(other[file], self.files[file])

    def test_a_renewed_certificate_is_served_once_both_files_are_there(self) -> None:
        before, other = self.served(), self.split()
        expected = x509.load_pem_x509_certificate(other[0].read_bytes())
        self.replace(1, other)
        self.clock.advance(2)
        self.assertEqual(self.served(), before)
        self.replace(0, other)
        self.clock.advance(2)
        self.assertEqual(self.served(), before, "it may still be written to")
        self.clock.advance(2)
        self.assertEqual(fingerprint(x509.load_der_x509_certificate(self.served())),
                         fingerprint(expected))  # fmt: skip

    def test_half_of_a_renewal_changes_nothing_and_is_told_once(self) -> None:
        before, other = self.served(), self.split()
        self.replace(0, other)
        said: list[LogEvent] = []
        self.patch(Certificates, "log", Logger(observer=said.append))
        self.clock.pump([2] * 10)
        self.assertEqual(self.served(), before)
        self.assertEqual(len(said), 1)

    def test_a_renewal_that_openssl_refuses_changes_nothing_and_the_next_is_served(self) -> None:
        before, other = self.served(), self.split()
        both = Authority(self.directory()).issue("localhost", weak=True)
        for path in self.files:
            path.write_bytes(both.read_bytes())
        self.clock.pump([2] * 2)
        self.assertEqual(self.served(), before)
        for file in range(2):
            self.replace(file, other)
        self.clock.pump([2] * 2)
        self.assertEqual(fingerprint(x509.load_der_x509_certificate(self.served())),
                         digest(self.files[0]))  # fmt: skip


class WarningTest(TlsCase):
    def test_a_server_that_runs_on_warns_once_a_day(self) -> None:
        said: list[LogEvent] = []
        self.patch(Certificates, "log", Logger(observer=said.append))
        clock = Clock()
        path = Authority(self.directory()).issue("localhost")
        certificates = Certificates(clock, path, path)
        certificates.start()
        said.clear()
        clock.pump([DAY / 4] * 8)
        self.assertEqual([each["log_level"].name for each in said], ["warn"] * 2)
        certificates.stop()
        clock.advance(DAY)
        self.assertEqual(len(said), 2)

    def test_a_certificate_that_ends_within_a_week_is_warned_of_and_no_other(self) -> None:
        said: list[LogEvent] = []
        self.patch(Certificates, "log", Logger(observer=said.append))
        of_a_day, of_years = Authority(self.directory()).issue("localhost"), self.certificate()
        for path, warnings in ((of_a_day, 1), (of_years, 0)):
            said.clear()
            Certificates(Clock(), path, path).check()
            levels = [each["log_level"].name for each in said]
            self.assertEqual(levels.count("warn"), warnings, path)


def agreed(server: SSL.Connection, wanting: SSL.Context) -> str:
    """Which version a server and a client shake hands on.

    :raises SSL.Error: they do not.
    """
    client = SSL.Connection(wanting, None)
    server.set_accept_state()
    client.set_connect_state()
    for talks, listens in [(client, server), (server, client)] * 3:
        with contextlib.suppress(SSL.WantReadError):
            talks.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            listens.bio_write(talks.bio_read(65_536))
    client.do_handshake()
    return client.get_protocol_version_name()


class VersionTest(TlsCase):
    """What it is that refuses old versions: OpenSSL's own caution is switched off on both sides."""

    def spoken(self, served: SSL.Context) -> str:
        """What a client and a server agree on when the client speaks TLS 1.1 and nothing else."""
        wanting = SSL.Context(SSL.TLS_METHOD)
        wanting.set_min_proto_version(SSL.TLS1_1_VERSION)
        wanting.set_max_proto_version(SSL.TLS1_1_VERSION)
        for context in (served, wanting):
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
        return agreed(SSL.Connection(served, None), wanting)

    def test_our_setting_refuses_tls_1_1_which_would_be_spoken_without_it(self) -> None:
        certificates = Certificates(Clock(), *self.split())
        certificates.start()
        self.addCleanup(certificates.stop)
        served = certificates._context
        assert served is not None
        with self.assertRaisesRegex(SSL.Error, "unsupported protocol"):
            self.spoken(served)
        ours = PrivateCertificate.loadPEM(self.certificate().read_bytes()).options()
        lower = CertificateOptions(
            ours.privateKey, ours.certificate, insecurelyLowerMinimumTo=TLSVersion.TLSv1_1
        )
        self.assertEqual(self.spoken(lower.getContext()), "TLSv1.1")


class ChainTest(TlsCase):
    def test_who_knows_the_root_alone_is_shown_the_authorities_between(self) -> None:
        root = Authority(self.directory())
        between = Authority(root.path.parent, "between", root)
        leaf = between.issue("chat.example")
        chain = leaf.with_name("chain.pem")
        chain.write_bytes(leaf.read_bytes() + between.path.read_bytes())
        knowing = SSL.Context(SSL.TLS_METHOD)
        knowing.load_verify_locations(root.path)
        knowing.set_verify(SSL.VERIFY_PEER, lambda _, __, error, depth, good: bool(good))
        for shown in (chain, leaf):
            certificates = Certificates(Clock(), shown, leaf)
            certificates.check()
            server = certificates.serverConnectionForTLS(None)
            if shown is leaf:
                with self.assertRaisesRegex(SSL.Error, "certificate verify failed"):
                    agreed(server, knowing)
            else:
                self.assertEqual(agreed(server, knowing), "TLSv1.3")


class MakingTest(TlsCase):
    def test_the_first_certificate_that_is_there_stays(self) -> None:
        home = self.directory()
        path = self_signed(home / "not" / "there" / "yet")
        made = path.read_bytes()
        self.assertEqual(self_signed(path.parent), path)
        self.assertEqual(path.read_bytes(), made)
        self.assertEqual(os.listdir(path.parent), ["tls.pem"])

    def test_servers_that_start_at_once_serve_the_same(self) -> None:
        home = self.directory()
        code = (
            "import sys; from pathlib import Path; from chat.server.network.certificates import *; "
        )
        code += "print(self_signed(Path(sys.argv[1])).read_text())"
        started = [
            subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE)
            for _ in range(3)
        ]
        said = {each.communicate()[0] for each in started}
        self.assertEqual(len(said), 1)
        self.assertEqual(os.listdir(home), ["tls.pem"])

    def test_a_directory_that_takes_nothing_is_one_sentence(self) -> None:
        file = self.directory() / "file"
        file.write_text("")
        with self.assertRaisesRegex(CannotStart, r"TLS: cannot write .*/tls.pem: "):
            self_signed(file)
