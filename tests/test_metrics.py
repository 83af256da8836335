"""The endpoint of ``--metrics``: what it measures of real servers, and when they are ready."""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from chat.server.network.certificates import SELF_SIGNED_DAYS
from chat.server.watching.metrics import METRICS, USUAL_OUTCOMES, USUAL_REASONS
from tests.patience import PATIENCE
from tests.peers import PASSWORD, CurrentPeer, OriginalPeer
from tests.process import ServerProcess, twistd
from tests.valkey import Valkey, start_for

LOBBY = "#lobby"
ENDPOINT = ("--metrics", "tcp:0:interface=127.0.0.1")


class MetricsCase(SynchronousTestCase):
    def begun(self, *options: str) -> ServerProcess:
        """A server that was started, and answers on its endpoint."""
        server = ServerProcess(*ENDPOINT, *options)
        self.addCleanup(server.remove)
        server.begin()
        found = server.wait_for_log(r"Metrics are at (127\.0\.0\.1:\d+)/metrics")
        self.address = found[1]
        return server

    def server(self, *options: str) -> ServerProcess:
        server = self.begun(*options)
        server.wait_until_listening()
        return server

    def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, content type and body of a page."""
        request = urllib.request.Request(f"http://{self.address}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                return reply.status, reply.headers["content-type"], reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["content-type"], error.read().decode()

    def scraped(self) -> dict[tuple[str, ...], float]:
        """Every value by its name and the values of its labels, in alphabetical order."""
        families = text_string_to_metric_families(self.get("/metrics")[2])
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }


class NumbersTest(MetricsCase):
    def enter(self, server: ServerProcess, name: str, password: str = PASSWORD) -> CurrentPeer:
        peer = CurrentPeer(server.port)
        self.addCleanup(peer.close)
        peer.register(userName=name, userPwd=PASSWORD)
        self.code = peer.log_in(userName=name, userPwd=password, device="here")["code"]
        return peer

    def test_every_metric_is_there_with_its_meaning(self) -> None:
        self.server()
        families = {
            each.name: each for each in text_string_to_metric_families(self.get("/metrics")[2])
        }
        for metric in METRICS:
            family = families[metric.name.removesuffix("_total")]
            self.assertEqual((family.type, family.documentation), (metric.kind.value, metric.says))
        self.assertIn("process_cpu_seconds", families)
        self.assertEqual(families["chatroom_build_info"].samples[0].labels.keys() >= {"version"}, 1)

    def test_what_alerts_and_curves_are_made_of_is_told_before_it_ever_happened(self) -> None:
        self.server()
        told = self.scraped()
        for name, usual in (("logins", USUAL_OUTCOMES), ("goodbyes", USUAL_REASONS)):
            values = [told[f"chatroom_{name}_total", key] for key in usual]
            self.assertEqual(values, [0.0] * len(usual))

    def test_what_people_do_is_counted(self) -> None:
        server = self.server("--rate", "2,0.001")
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        self.enter(server, "eve", "xyzzy-wrong")
        carol = OriginalPeer(server.port)
        self.addCleanup(carol.close)
        carol.register(7, "carol")
        carol.log_in(7)
        alice.post(LOBBY, "one")
        alice.post("@bob", "two")
        alice.ask("SmsMes", to=LOBBY, content="too fast")
        bob.expect("SmsMes", content="two")
        carol.hear("SmsMes")
        seen = self.scraped()
        expected = {
            ("chatroom_connections", "current", "live"): 2,
            ("chatroom_connections", "original", "live"): 1,
            ("chatroom_connections", "unknown", "new"): 1,
            ("chatroom_users_here",): 3,
            ("chatroom_rooms_here",): 1,
            ("chatroom_logins_total", "accepted"): 3,
            ("chatroom_logins_total", "wrong-password"): 1,
            ("chatroom_accepted_total",): 2,
            ("chatroom_deliveries_total",): 5,
            ("chatroom_delivery_seconds_count",): 2,
            ("chatroom_store_round_trip_seconds_count",): 2,
            ("chatroom_refusals_total", "429", "SmsMes"): 1,
            ("chatroom_refusals_total", "403", "LoginMes"): 1,
            ("chatroom_hashing_waiting",): 0,
            ("chatroom_ready",): 1,
        }
        wrong = {name: seen.get(name) for name in expected if seen.get(name) != expected[name]}
        self.assertEqual(wrong, {})
        self.assertLess(0, seen["chatroom_delivery_seconds_sum",])
        self.assertEqual(seen["chatroom_delivery_seconds_bucket", "+Inf"], 2)
        self.assertLess(seen["chatroom_presence_lag_seconds",], 10)

    def test_until_when_the_certificate_is_valid_is_told_where_there_is_one(self) -> None:
        name = "chatroom_certificate_ends_timestamp_seconds"
        self.server()
        self.assertNotIn((name,), self.scraped())
        self.server("--self-signed")
        days = (self.scraped()[name,] - time.time()) / 86_400
        self.assertEqual(round(days), SELF_SIGNED_DAYS)

    def test_the_stores_memory_is_told_and_its_limit_where_it_has_one(self) -> None:
        valkey = start_for(self, "--maxmemory", "50000000")
        self.server("--store", valkey.url)
        seen: dict[tuple[str, ...], float] = {}
        give_up = time.monotonic() + PATIENCE
        while ("chatroom_store_memory_bytes", "used") not in seen and time.monotonic() < give_up:
            seen = self.scraped()
        self.assertEqual(seen["chatroom_store_memory_bytes", "limit"], 50_000_000)
        used = seen["chatroom_store_memory_bytes", "used"]
        self.assertLess(500_000, used)
        self.assertLess(used, 50_000_000)
        self.assertLess(50_000_000, seen["chatroom_store_memory_bytes", "machine"])

    def test_a_scraper_that_knows_open_metrics_gets_them(self) -> None:
        self.server()
        accept = "application/openmetrics-text;version=1.0.0"
        status, kind, body = self.get("/metrics", Accept=accept)
        self.assertEqual((status, kind.partition(";")[0]), (200, accept.partition(";")[0]))
        self.assertTrue(body.endswith("# EOF\n"))

    def test_what_is_scraped_leaves_no_line_in_the_log(self) -> None:
        server = self.server()
        before = server.log
        for path in ("/metrics", "/healthz", "/readyz", "/nothing"):
            self.get(path)
        self.assertEqual(server.log, before)
        self.assertEqual(self.get("/nothing")[0], 404)

    def test_nothing_of_it_is_loaded_without_the_option(self) -> None:
        code = (
            "import sys; from twisted.internet import reactor;"
            "from chat.server.service import ChatService;"
            "from chat.server.settings import Settings; ChatService(reactor, Settings());"
            "print({'prometheus_client', 'twisted.web.server'} & sys.modules.keys())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        self.assertEqual(done.stdout, "set()\n")


class ReadyTest(MetricsCase):
    def ready(self) -> tuple[int, str]:
        self.assertEqual(self.get("/healthz")[::2], (200, "alive\n"))
        status, _, body = self.get("/readyz")
        self.assertEqual(self.scraped()["chatroom_ready",], status == 200)
        return status, body

    def lost(self, server: ServerProcess, valkey: Valkey) -> None:
        valkey.kill()
        server.wait_for_log("Lost the store at")

    def test_it_is_ready_when_clients_can_be_served_and_else_says_why_not(self) -> None:
        valkey = start_for(self)
        valkey.kill()
        server = self.begun("--store", valkey.url)
        away = f"The store at {valkey.url}?db=0 is away"
        server.wait_for_log(r"Redis#warn\] .*Connection refused")
        refused = "Connection was refused by other side: 111: Connection refused."
        self.assertEqual(self.ready(), (503, f"{away}: {refused}\n"))
        valkey.start()
        server.wait_until_listening()
        self.assertEqual(self.ready(), (200, "ready\n"))
        self.lost(server, valkey)
        status, sentence = self.ready()
        self.assertEqual((status, sentence.startswith(away)), (503, True))

    def test_a_store_that_takes_no_writes_is_no_store(self) -> None:
        valkey = start_for(self)
        server = self.server("--store", valkey.url)
        self.assertEqual(self.ready(), (200, "ready\n"))
        self.lost(server, valkey)
        valkey.arguments = ("--maxmemory", "1")
        valkey.start()
        status, sentence = self.ready()
        give_up = time.monotonic() + PATIENCE
        while "written to" not in sentence and time.monotonic() < give_up:  # it is away still
            status, sentence = self.ready()
        self.assertEqual(status, 503)
        self.assertRegex(sentence, r"^The store can't be written to: OOM .*\.\n$")

    def test_an_address_in_use_ends_the_start_with_a_sentence(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            server = ServerProcess()
            self.addCleanup(server.remove)
            words = ["--listen", "unix:s", "--data", str(server.home), "--metrics", endpoint]
            done = twistd("-n", "--pidfile=", "chatroom", *words, cwd=server.home)
        self.assertEqual(done.returncode, 1)
        said = re.escape(f"chatroom: cannot listen: Address already in use ({endpoint})")
        self.assertRegex(done.stderr, f"^{said}\n$")
