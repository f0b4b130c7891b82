"""What tests of the dashboard share."""
import pytest
from lib import browser, dashboard


@pytest.fixture(scope="module")
def one_chromium(tmp_path_factory):
    if browser.missing():
        pytest.skip(browser.missing())
    with browser.Browser(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture
def chromium(one_chromium):
    """The same for all tests of a module, without the pages of the one before."""
    yield one_chromium
    one_chromium.close_pages()


@pytest.fixture(scope="module")
def seen(shared_gatehouse, tmp_path_factory):
    """A gatehouse whose dashboard has something to show."""
    return dashboard.start(shared_gatehouse, tmp_path_factory.mktemp("rules"))
