"""A headless Chromium, driven by t/lib/browser.js with playwright-core."""
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import time

import pytest

from .gatehouse import TOP, descendants
from .grpc import MODULES
from .wire import WAIT_S

PROGRAM = shutil.which("chromium-headless-shell")
# Playwright gives up before that, where it waits for something.
ORDER_S = 2 * WAIT_S
LEAVE_S = 10


def missing():
    """Why there is none here, or nothing."""
    if not PROGRAM:
        return "no Chromium"
    if not shutil.which("node"):
        return "no node"
    if not (MODULES / "playwright-core").is_dir():
        return "no packages of npm here: ./bootstrap deps"
    return ""


needed = pytest.mark.skipif(bool(missing()), reason=missing())


class BrowserError(Exception):
    """It could not do what it was told, or has ended."""


class Browser:
    """One for a test or the tests of a file, which ends with them; `folder` is for
    all that it writes."""

    order_s = ORDER_S

    def __init__(self, folder, more=()):
        folder = pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        self.err = folder / "browser.err"
        with self.err.open("w") as err:
            self.process = subprocess.Popen(
                ["node", str(TOP / "t/lib/browser.js"), PROGRAM,
                 "--no-proxy-server", *more],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                start_new_session=True,
                env={**os.environ, "NODE_PATH": str(MODULES),
                     "TMPDIR": str(folder), "LIMIT_MS": str(WAIT_S * 1000)})
        self.rest = b""
        self.below = []
        self.pages = []
        try:
            self.version = self._answer()["value"]
            self._hold()
        except BaseException:
            self.close()
            raise

    def _hold(self):
        """The processes of the browser, whoever their parent will be."""
        for pid in descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                self.below.append(os.pidfd_open(pid))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(LEAVE_S)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for fd in self.below:
            self._end(fd)

    @staticmethod
    def _end(fd):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        assert select.select([fd], [], [], LEAVE_S)[0], "it did not end"
        # those without their parent have become ours
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, fd, os.WEXITED)
        os.close(fd)

    def _line(self):
        end = time.monotonic() + self.order_s
        while b"\n" not in self.rest:
            left = max(0, end - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                self.process.kill()
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise BrowserError(
                    f"the browser has ended with {self.process.wait()}: "
                    f"{self.err.read_text()[-2000:]}")
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def _answer(self):
        answer = json.loads(self._line())
        if "failed" in answer:
            raise BrowserError(answer["failed"])
        return answer

    def order(self, **what):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(what).encode() + b"\n")
            self.process.stdin.flush()
        return self._answer()

    def page(self, width=1280, height=900, **options):
        """One that shares nothing with the others; with options as Playwright's
        browser.newContext() has them."""
        made = self.order(open={"viewport": {"width": width, "height": height},
                                **options})
        self.pages.append(Page(self, made["value"]))
        return self.pages[-1]

    def close_pages(self):
        while self.pages:
            self.pages.pop().do(("context",), ("close",))


class Place:
    """What of a page one means (Playwright's Locator), found anew each time."""

    def __init__(self, page, steps=()):
        self.page = page
        self.steps = steps

    def __getattr__(self, method):
        """page.by_role("button", "Pause").press("Enter")."""
        return lambda *args: self.page.do(*self.steps, (method, *args))

    def all(self, selector):
        return Place(self.page, (*self.steps, ("locator", selector)))

    def by_role(self, role, name=None, exact=True, **options):
        """As readers of screens find it."""
        if name is not None:
            options.update(name=name, exact=exact)
        return Place(self.page, (*self.steps, ("getByRole", role, options)))


class Page(Place):
    """One tab. What it complains of is in `complaints`."""

    def __init__(self, browser, number):
        super().__init__(self)
        self.browser = browser
        self.number = number
        self.complaints = []

    def do(self, *steps):
        answer = self.browser.order(page=self.number, steps=steps)
        self.complaints += answer["complaints"]
        return answer.get("value")

    def came(self, beneath):
        """{path: object} of the last answers that it got."""
        return self.browser.order(page=self.number, came=beneath)["value"]

    def press(self, *keys):
        for key in keys:
            self.do(("keyboard",), ("press", key))

    def type(self, text):
        self.do(("keyboard",), ("insertText", text))
