"""What operators are given: dashboard, alerts and their page name only what there is."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.server.phrases import PHRASES
from chat.server.watching.endpoint import Watching
from chat.server.watching.metrics import METRICS, USUAL_OUTCOMES, Kind
from chat.server.workers.overview import Overview

ROOT = Path(__file__).parent.parent
DASHBOARD = (ROOT / "deploy" / "grafana-chatroom.json").read_text(encoding="utf-8")
ALERTS = (ROOT / "deploy" / "prometheus-chatroom.yml").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "operating.rst").read_text(encoding="utf-8")


def named(text: str) -> set[str]:
    """The metrics that a text speaks of."""
    return set(re.findall(r"\b(?:chatroom|process)_[a-z_]+\b", text))


def series() -> set[str]:
    """Every series there is; those about the process are not this project's own."""
    unstarted: Any = SimpleNamespace(server=None, trouble=lambda: "", certificates=None)
    registry = Watching(Clock(), "tcp:0", unstarted).registry
    found = {sample.name for family in registry.collect() for sample in family.samples}
    for metric in METRICS:
        histogram = metric.kind is Kind.HISTOGRAM
        found |= (
            {metric.name + end for end in ("_bucket", "_sum", "_count")} if histogram else set()
        )
        found.add(metric.name)
    crew = Overview(Clock(), "tcp:0", [], lambda: None)
    return found | {sample.name for family in crew.collect() for sample in family.samples}


class MetricsTest(SynchronousTestCase):
    def test_dashboard_alerts_and_page_name_no_metric_that_does_not_exist(self) -> None:
        for text in (DASHBOARD, ALERTS, PAGE):
            self.assertTrue(named(text))
            self.assertEqual(named(text) - series(), set())

    def test_every_metric_is_on_the_dashboard_and_the_page(self) -> None:
        ours = {metric.name for metric in METRICS} | {"chatroom_ready", "chatroom_build_info"}
        for text in (DASHBOARD, PAGE):
            shown = {name.removesuffix("_bucket") for name in named(text)}
            self.assertEqual(ours - shown, set())

    def test_every_alert_has_a_severity_and_says_what_is_wrong(self) -> None:
        (group,) = yaml.safe_load(ALERTS)["groups"]
        for rule in group["rules"]:
            self.assertIn(rule["labels"]["severity"], ("page", "ticket"))
            self.assertTrue(rule["expr"] and rule["annotations"]["summary"])

    def test_every_alert_says_what_is_done_about_it_on_the_page(self) -> None:
        alerts = re.findall(r"- alert: (\w+)", ALERTS)
        self.assertGreater(len(alerts), 5)
        self.assertEqual([each for each in alerts if f"``{each}``" not in PAGE], [])

    def test_outcomes_in_alerts_are_outcomes(self) -> None:
        outcomes = [
            each
            for found in re.findall(r'outcome=~?"([^"]+)"', ALERTS)
            for each in found.split("|")
        ]
        self.assertTrue(outcomes)
        self.assertEqual([each for each in outcomes if each not in PHRASES], [])
        self.assertEqual([each for each in outcomes if each not in USUAL_OUTCOMES], [])

    def test_the_dashboard_is_one(self) -> None:
        panels = json.loads(DASHBOARD)["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        for panel in panels:
            self.assertTrue(panel["description"] and panel["targets"])
