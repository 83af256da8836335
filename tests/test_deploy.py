"""The files in ``deploy/``: what the programs they are for say of them, and that they fit together.

Where a program is not installed, its test says so and is left out.
"""

import re
import shutil
import ssl
import subprocess
import tempfile
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from unittest import TestCase, skipUnless

import yaml
from twisted.trial.unittest import TestCase as AsyncTestCase

from chat.server.settings import options as all_options
from chat.soak.processes import free_ports
from chat.store.checkup import complaints
from chat.store.link.address import Address
from tests.certificates import Authority
from tests.connections import connected_to
from tests.patience import PATIENCE
from tests.peers import PASSWORD, Closed, CurrentPeer
from tests.process import ServerProcess, twistd
from tests.server import GENEROUS
from tests.valkey import start_for

DEPLOY = Path(__file__).parent.parent / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
SERVERS = {name: it for name, it in SERVICES.items() if name.startswith("server")}
HAPROXY = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
OPTIONS = all_options()
MADE_BY_HAND = {"secrets/chatroom.pem", "secrets/store-password"}
EXPOSURE = 20
"""Tenths of what ``systemd-analyze security`` calls exposure: 2 of 10 is "OK"."""


class ComposeTest(TestCase):
    def test_each_server_is_started_with_options_that_it_takes(self) -> None:
        for server in SERVERS.values():
            directory = Path(tempfile.mkdtemp())
            self.addCleanup(shutil.rmtree, directory)
            password = directory / "store-password"
            password.write_text("secret\n")
            password.chmod(0o600)
            options = {**server["environment"], "CHATROOM_STORE_PASSWORD_FILE": str(password)}
            done = twistd("chatroom", "--check-config", cwd=directory, environment=options)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            names = {f"CHATROOM_{name.upper().replace('-', '_')}" for name in OPTIONS}
            self.assertLessEqual(set(options), names)

    def test_the_proxys_address_is_given_to_nobody_else(self) -> None:
        (network,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
        proxy = ip_address(SERVICES["proxy"]["networks"]["inside"]["ipv4_address"])
        self.assertIn(proxy, ip_network(network["subnet"]))
        self.assertNotIn(proxy, ip_network(network["ip_range"]))
        for server in SERVERS.values():
            trusted = ip_network(server["environment"]["CHATROOM_PROXY_FROM"])
            self.assertEqual(trusted, ip_network(proxy))

    def test_every_file_that_is_named_is_there_or_said_to_be_made(self) -> None:
        text = (DEPLOY / "compose.yml").read_text(encoding="utf-8")
        named = set(re.findall(r"\./([\w./-]+)", text))
        for name in named - MADE_BY_HAND:
            self.assertTrue((DEPLOY / name).exists(), name)
        for name in named & MADE_BY_HAND:
            self.assertIn(f"> {name}", text.partition("x-server")[0])
        for server in SERVERS.values():
            context = DEPLOY / server["build"]["context"]
            self.assertTrue((context / server["build"]["dockerfile"]).exists())

    @skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_what_is_made_by_hand_is_read_by_containers_and_by_nobody_else(self) -> None:
        """They are neither root nor whoever made it, and have none of root's capabilities."""
        text = (DEPLOY / "compose.yml").read_text(encoding="utf-8").partition("x-server")[0]
        commands = [line[4:] for line in text.splitlines() if line.startswith("#   ")]
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        for name in ("fullchain.pem", "privkey.pem"):
            (directory / name).touch(0o600)
        made = " && ".join(each for each in commands if not each.startswith(("cd ", "docker ")))
        subprocess.run(
            ["sh", "-c", f"umask 077 && {made}"], cwd=directory, check=True, timeout=PATIENCE
        )
        for name in MADE_BY_HAND:
            self.assertEqual((directory / name).stat().st_mode & 0o444, 0o444, name)
            self.assertEqual((directory / name).parent.stat().st_mode & 0o077, 0, name)
        for name, service in SERVICES.items():
            if "valkey" in service["image"]:  # All others say so themselves.
                self.assertEqual(service["user"], "valkey", name)

    def test_what_a_service_needs_is_a_service(self) -> None:
        for name, service in SERVICES.items():
            self.assertLessEqual(set(service.get("depends_on", ())), set(SERVICES), name)
            volumes = [each.split(":")[0] for each in service.get("volumes", ())]
            kept = {each for each in volumes if not each.startswith(".")}
            self.assertLessEqual(kept, set(COMPOSE["volumes"]), name)

    def test_servers_ask_the_sentinels_for_the_store_that_they_watch(self) -> None:
        start = (DEPLOY / "valkey" / "start-sentinel").read_text(encoding="utf-8")
        sentinels = {name for name in SERVICES if name.startswith("sentinel")}
        self.assertEqual(len(sentinels), 3)
        for server in SERVERS.values():
            address = Address.parse(server["environment"]["CHATROOM_STORE"])
            self.assertEqual({host for host, _ in address.sentinels}, sentinels)
            self.assertIn(f"sentinel monitor {address.master} ", start)
        for name in sentinels:
            self.assertIn(SERVICES[name]["environment"]["PRIMARY"], SERVICES)

    def test_the_proxy_has_every_server_and_is_believed_by_it(self) -> None:
        listed = re.findall(r"^    server ([\w-]+) ([\w-]+):8889$", HAPROXY, re.MULTILINE)
        self.assertEqual({host for _, host in listed}, set(SERVERS))
        address = SERVICES["proxy"]["networks"]["inside"]["ipv4_address"]
        for server in SERVERS.values():
            environment = server["environment"]
            self.assertEqual(environment["CHATROOM_PROXY_FROM"], f"{address}/32")
            self.assertEqual(environment["CHATROOM_LISTEN"], "tcp:8889")
            self.assertEqual(environment["CHATROOM_METRICS"], "tcp:9464")
        self.assertIn("check port 9464", HAPROXY)
        self.assertIn("send-proxy-v2", HAPROXY)


class StoreTest(AsyncTestCase):
    async def test_the_servers_have_nothing_to_say_against_the_store(self) -> None:
        """Its whole configuration but where it is and listens."""
        settings = []
        for line in (DEPLOY / "valkey" / "store.conf").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(" ")
            if name not in ("", "#", "port", "dir"):
                settings += [f"--{name}", value.strip('"')]
        valkey = start_for(self, *settings)
        redis = await connected_to(self, valkey.url)
        self.assertEqual(await complaints(redis), [])


class ToolsTest(TestCase):
    def run_tool(self, *words: str) -> str:
        """Run it on our files; what it said, when it was content."""
        done = subprocess.run(
            words, cwd=DEPLOY, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    @skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_understands_the_unit_and_finds_it_well_guarded(self) -> None:
        unit = (DEPLOY / "chatroom.service").read_text(encoding="utf-8")
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        # Its program need not be installed here.
        unit = unit.replace("/opt/chatroom/bin/twistd", "/bin/true")
        (directory / "chatroom.service").write_text(unit)
        path = str(directory / "chatroom.service")
        self.assertEqual(self.run_tool("systemd-analyze", "verify", path), "")
        words = ("security", "--offline=true", f"--threshold={EXPOSURE}", path)
        self.run_tool("systemd-analyze", *words)

    def test_the_unit_checks_the_file_that_it_starts_with_before_it_is_read_again(self) -> None:
        unit = (DEPLOY / "chatroom.service").read_text(encoding="utf-8")
        (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        check, tell = re.findall(r"^ExecReload=(.*)$", unit, re.MULTILINE)
        self.assertEqual(tell, "/bin/kill -HUP $MAINPID")
        self.assertEqual(check, start.replace(" --nodaemon --pidfile=", "") + " --check-config")
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        (directory / "file").write_text("name-limit = 7")
        words = check.split()[1:]
        words[words.index("--config") + 1] = "file"
        self.assertEqual(twistd(*words, cwd=directory).returncode, 0)
        (directory / "file").write_text("name-limit = 'many'")
        self.assertEqual(twistd(*words, cwd=directory).returncode, 1)

    def test_the_scripts_are_such(self) -> None:
        for script in ("start-store", "start-sentinel"):
            self.run_tool("sh", "-n", f"valkey/{script}")


@skipUnless(shutil.which("haproxy"), "haproxy is not installed")
class ProxyTest(TestCase):
    """HAProxy itself, with our configuration, before two servers on one store."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        store = start_for(self, "--appendonly", "yes")
        *self.metrics, self.port = free_ports(3)
        self.servers = [
            ServerProcess.start_for(
                self, *GENEROUS, "--store", store.url, "--proxy-from", "127.0.0.1",
                "--metrics", f"tcp:{port}:interface=127.0.0.1",
            )
            for port in self.metrics
        ]  # fmt: skip
        self.certificates = Authority(self.directory)
        self.start_proxy()

    def start_proxy(self) -> None:
        """Our file, with other places in it."""
        config = HAPROXY.replace("bind :8889", f"bind 127.0.0.1:{self.port}")
        config = config.replace("maxconn 30000", "maxconn 100")  # of files that may be open here
        certificate = self.certificates.issue("localhost")
        config = config.replace("/etc/haproxy/chatroom.pem", str(certificate))
        for name, server, metrics in zip(SERVERS, self.servers, self.metrics, strict=True):
            config = config.replace(f"{name}:8889", f"127.0.0.1:{server.port} port {metrics}")
        path = self.directory / "haproxy.cfg"
        path.write_text(config)
        proxy = subprocess.Popen(["haproxy", "-db", "-f", str(path)], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)  # fmt: skip
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.kill)

    def come(self) -> CurrentPeer:
        """Connect through the proxy, as soon as that leads to a server."""
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return self.come_at_once()
            except (OSError, Closed):
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)  # it looks every two seconds which servers are there

    def come_at_once(self) -> CurrentPeer:
        """Connect through the proxy, and hear from a server."""
        trust = ssl.create_default_context(cafile=str(self.certificates.path))
        peer = CurrentPeer(self.port)
        self.addCleanup(peer.close)
        peer.socket = trust.wrap_socket(peer.socket, server_hostname="localhost")
        peer.ping()
        return peer

    def test_people_meet_behind_it_and_a_server_that_ends_is_not_missed(self) -> None:
        ann, bob = self.come(), self.come()
        for name, peer in (("ann", ann), ("bob", bob)):
            who = {"userPwd": PASSWORD, "userName": name}
            self.assertEqual(peer.register(**who)["code"], 200)
            self.assertEqual(peer.log_in(**who, device="desk")["code"], 200)
        ann.post("#lobby", "hello")
        bob.hears("hello")
        self.servers[0].stop()
        again = self.come()
        self.assertEqual(again.log_in(token=ann.welcome["token"])["code"], 200)
        again.post("#lobby", "still here")

    def test_who_comes_before_it_is_known_that_a_server_ended_reaches_the_other(self) -> None:
        self.come()
        self.servers[0].kill()
        for _ in SERVERS:
            self.come_at_once()
