"""The PROXY protocol: read from whoever is trusted, in any pieces, and from nobody else."""

import contextlib
import socket
import struct
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat.server.network.proxied import V2_START, BadHeader, parse_header
from tests.patience import PATIENCE
from tests.peers import PASSWORD, Closed, CurrentPeer
from tests.process import ServerProcess
from tests.test_tls import TlsPeer, trusting

V1 = b"PROXY TCP4 198.51.100.7 192.0.2.1 50000 8889\r\n"
V1_SIX = b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 8889\r\n"


def version_2(source: str, command: int = 0x21, more: bytes = b"") -> bytes:
    """A header of version 2; ``more`` stands behind the addresses."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    packed = socket.inet_pton(family, source)
    body = packed + packed + struct.pack(">HH", 50_000, 8_889) + more
    code = 0x21 if ":" in source else 0x11
    return V2_START + struct.pack(">BBH", command, code, len(body)) + body


def header_of(host: str) -> bytes:
    return f"PROXY TCP4 {host} 127.0.0.1 50000 8889\r\n".encode()


class HeaderTest(SynchronousTestCase):
    def test_both_versions_say_who_it_is(self) -> None:
        for header, host in {
            V1: "198.51.100.7",
            V1_SIX: "2001:db8::7",
            version_2("198.51.100.7"): "198.51.100.7",
            version_2("2001:db8::7", more=b"\x04\0\x03abc"): "2001:db8::7",
        }.items():
            for behind in (b"", b"\0\0\0\x02{}"):
                found = parse_header(header + behind)
                assert found is not None
                told, size = found
                assert told is not None
                self.assertEqual((told.host, told.port, size), (host, 50_000, len(header)))
            for cut in range(len(header)):
                self.assertIsNone(parse_header(header[:cut]), header[:cut])

    def test_a_balancer_may_speak_for_itself_or_not_know(self) -> None:
        local = version_2("198.51.100.7", command=0x20)
        unknown = V2_START + struct.pack(">BBH", 0x21, 0, 0)
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ff:: x y z\r\n", local, unknown):
            self.assertEqual(parse_header(header + b"x"), (None, len(header)))

    def test_anything_else_is_no_header(self) -> None:
        for data in (
            b"\0\0\0\x05", b"GET / HTTP/1.1\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY \r\n",
            b"PROXY TCP4 2001:db8::1 1.2.3.4 1 2\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
            b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 x 2\r\n",
            b"PROXY TCP4 " + b"1" * 100, b"PROXY \xff\xff 1.2.3.4 1.2.3.4 1 2\r\n",
            V2_START + b"\x31\x11\0\x0c" + bytes(12), V2_START + b"\x21\x11\0\x0b" + bytes(11),
            V2_START + b"\x21\x11\x10\x01", V2_START + b"\x22\x11\0\x0c" + bytes(12),
        ):  # fmt: skip
            self.assertRaises(BadHeader, parse_header, data)

    @given(st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=120).map(lambda data: b"PROXY " + data),
        st.binary(max_size=60).map(lambda data: V2_START + data),
    ))  # fmt: skip
    def test_whatever_comes_it_is_a_header_or_none_or_more_is_needed(self, data: bytes) -> None:
        with contextlib.suppress(BadHeader):
            found = parse_header(data)
            if found is not None:
                self.assertLessEqual(found[1], len(data))


class ServerTest(SynchronousTestCase):
    def server(self, *options: str) -> ServerProcess:
        return ServerProcess.start_for(self, "--registrations-per-address", "0", *options)

    def peer(self, server: ServerProcess, header: bytes = b"") -> CurrentPeer:
        peer = CurrentPeer(server.port)
        self.addCleanup(peer.close)
        if header:
            peer.send_bytes(header)
        return peer

    def test_clients_are_told_apart_behind_a_trusted_balancer(self) -> None:
        server = self.server("--proxy-from", "127.0.0.1", "--connections-per-address", "2")
        for header in (V1, version_2("198.51.100.8")):
            served = [self.peer(server, header) for _ in range(2)]
            for each in served:
                each.ping()
            (told,) = self.peer(server, header).read_to_the_end()
            self.assertEqual((told.type, told.data["code"]), ("ErrorMes", 429))
        for host in ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"):
            self.peer(server, version_2(host)).ping()
        (told,) = self.peer(server, version_2("2001:db8:0:1:2::3")).read_to_the_end()
        self.assertEqual(told.data["code"], 429, "one /64 is one client")
        self.peer(server, version_2("2001:db8:0:2::1")).ping()

    def test_a_header_may_come_byte_by_byte_and_frames_right_behind_it(self) -> None:
        server = self.server("--proxy-from", "10.0.0.0/8,127.0.0.0/8")
        peer = self.peer(server)
        for at in range(len(V1)):
            peer.send_bytes(V1[at : at + 1])
        peer.ping()
        other = self.peer(server)
        other.send_bytes(V1 + b'\0\0\0\x1c{"type":"PingMes","data":""}')
        self.assertIn(other.read().type, ("PongMes", "ErrorMes"))

    def test_a_balancer_that_sends_none_is_closed_and_said(self) -> None:
        server = self.server("--proxy-from", "127.0.0.1")
        peer = self.peer(server)
        peer.send("PingMes")
        with self.assertRaises(Closed):
            peer.read()
        server.wait_for_log("no PROXY header from .*127.0.0.1")

    def test_nobody_else_is_believed(self) -> None:
        server = self.server("--proxy-from", "10.0.0.0/8")
        self.peer(server).ping()
        (told,) = self.peer(server, V1).read_to_the_end()
        self.assertEqual(told.data["code"], 413, "it is no frame")

    def test_the_header_stands_before_tls(self) -> None:
        server = self.server("--proxy-from", "127.0.0.1", "--self-signed")
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.sendall(V1)
        peer = TlsPeer.__new__(TlsPeer)
        CurrentPeer.__init__(peer, server.port)
        peer.socket.close()
        peer.socket = trusting().wrap_socket(raw)
        self.addCleanup(peer.close)
        self.assertEqual(peer.register(userName="ann", userPwd=PASSWORD)["code"], 200)

    def test_too_many_new_connections_of_an_address_are_closed_until_some_time_has_passed(
        self,
    ) -> None:
        server = self.server("--proxy-from", "127.0.0.1", "--connection-rate", "5,0.5")
        served = sum(self.is_served(server, V1) for _ in range(12))
        self.assertGreaterEqual(served, 5)
        self.assertLess(served, 12)
        self.assertTrue(self.is_served(server, header_of("198.51.100.9")), "it is another's")
        give_up = time.monotonic() + PATIENCE
        while not self.is_served(server, V1):
            self.assertLess(time.monotonic(), give_up)

    def is_served(self, server: ServerProcess, header: bytes) -> bool:
        """Whether a new connection gets an answer."""
        peer = CurrentPeer(server.port)
        try:
            peer.send_bytes(header)
            peer.ping()
        except (Closed, ConnectionError):
            return False
        finally:
            peer.close()
        return True
