"""What t/lib/browser.py drives: what it cannot do and its end are told, and it
leaves nothing behind."""
import select

import pytest
from lib import browser
from lib.procs import until

pytestmark = [browser.needed, pytest.mark.heavy]


def test_what_it_cannot_do_is_told(tmp_path):
    """And the browser goes on; so is what a page complains of."""
    with browser.Browser(tmp_path / "b") as b:
        page = b.page()
        for method, argument, why in [
                ("leap", "", "there is no leap"),
                ("evaluate", "no.such", "ReferenceError"),
                ("goto", "http://127.0.0.1:1/", "ERR_UNSAFE_PORT")]:
            with pytest.raises(browser.BrowserError, match=why):
                page.do((method, argument))
        page = b.page()
        page.evaluate("console.error('oh')")
        page.evaluate("void setTimeout(() => { throw new Error('no') })")
        until(lambda: page.title() == "" and len(page.complaints) == 2)
        assert page.complaints == ["oh", "Error: no"]


@pytest.mark.parametrize("way", ["killed", "silent"])
def test_its_end_is_told(tmp_path, way):
    """Also to those who wait for an answer that does not come."""
    with browser.Browser(tmp_path / "b") as b:
        page = b.page()
        below = list(b.below)
        b.order_s = 0.5
        if way == "killed":
            b.process.kill()
        with pytest.raises(browser.BrowserError, match="has ended with -9"):
            page.evaluate("new Promise(() => {})")
        # they hear of it by themselves
        assert len(below) > 1
        for fd in below:
            assert select.select([fd], [], [], browser.LEAVE_S)[0]
