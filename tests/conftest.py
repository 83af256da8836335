"""How pytest runs the tests: every TestCase before all plain functions, one server for most."""

import unittest
from collections.abc import Generator, Iterator

import pytest

from tests.admin_program import Admin, Loaded
from tests.party import Party
from tests.process import LAST_WORDS, ServerProcess
from tests.server import GENEROUS, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the TestCases to the front, otherwise in their order.

    Once pytest-twisted has run a plain function, its reactor goes on running, and every TestCase
    that comes later finds it dirty.
    """
    items.sort(key=lambda item: not _is_test_case(item))


def _is_test_case(item: pytest.Item) -> bool:
    parent = item.getparent(pytest.Class)
    return parent is not None and issubclass(parent.obj, unittest.TestCase)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Below a failure stands what the servers logged that were there."""
    report = yield
    if report.failed:
        logs = {f"log of the server on port {each.port}": each.log for each in ServerProcess.begun}
        report.sections += [(name, log[-LAST_WORDS:]) for name, log in logs.items()]
    if report.when == "teardown":
        ServerProcess.begun[:] = [each for each in ServerProcess.begun if each.home.exists()]
    return report


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """The server that all tests share which can live with each other."""
    with serving(*GENEROUS) as server:
        yield server


@pytest.fixture
def party(server: ServerProcess) -> Iterator[Party]:
    """Users and peers on the shared server; the peers end with the test."""
    with Party(server.port) as party:
        yield party


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """``chatroom admin``, loaded once for all commands of a module."""
    Admin.program = Loaded(tmp_path_factory.mktemp("admin"))
    yield
    Admin.program.stop()


@pytest.fixture
def admin(loaded: None, server: ServerProcess) -> Admin:
    """``chatroom admin`` for the shared server."""
    return Admin("--data", str(server.home / "data"))
