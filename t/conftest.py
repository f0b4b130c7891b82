"""Fixtures of all tests that run the real binary."""
import pathlib
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import strays  # noqa: E402
from lib.gatehouse import Gatehouse  # noqa: E402
from lib.origin import Origin  # noqa: E402

strays.adopt()


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "heavy: much work for code that others go through as well; "
        "not done again under sanitizers (.ci/run)")


@pytest.fixture(autouse=True)
def no_strays():
    """No test leaves a master behind."""
    yield
    strays.end()


def _keeper(make):
    """A factory whose products are closed at the end, last made first."""
    made = []

    def factory(*args, **kwargs):
        thing = make(*args, **kwargs)
        made.append(thing)
        return thing

    yield factory
    for thing in reversed(made):
        thing.close()


@pytest.fixture
def gatehouse(tmp_path):
    """gatehouse(ini_text, ...) starts one and waits until it serves. In the
    text, {port} is a free port of its own and {dir} the test's folder."""
    yield from _keeper(lambda *a, **k: Gatehouse(tmp_path, *a, **k))


@pytest.fixture
def origin():
    """origin(script, ...) starts a recording origin on a free port."""
    yield from _keeper(Origin)


@pytest.fixture(scope="module")
def shared_gatehouse(tmp_path_factory):
    """The same as gatehouse, for all tests of a module."""
    folder = tmp_path_factory.mktemp("gatehouse")
    yield from _keeper(lambda *a, **k: Gatehouse(folder, *a, **k))


@pytest.fixture(scope="module")
def shared_origin():
    """The same as origin, for all tests of a module."""
    yield from _keeper(Origin)
