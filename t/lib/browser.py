"""A headless Chromium, driven over its pipe of the DevTools protocol (messages
of JSON between NULs; devtools-protocol, "Browser protocol")."""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading

from .wire import WAIT_S

PROGRAM = shutil.which("chromium-headless-shell")
READ_FD, WRITE_FD = 3, 4  # as the browser expects them


def high_pipe():
    """Both ends out of the way of those two."""
    ends = os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in ends]
    for fd in ends:
        os.close(fd)
    return high


class Page:
    """One tab. What it complains of is in `complaints`."""

    def __init__(self, profile, width=1280, height=900, dark=False, more=()):
        to_read, self.to = high_pipe()
        self.come, to_write = high_pipe()
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" {READ_FD}<&{to_read} '
             f"{WRITE_FD}>&{to_write}", "sh", PROGRAM, "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--no-proxy-server",
             "--remote-debugging-pipe", f"--user-data-dir={profile}",
             *more],
            pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL,
            start_new_session=True)
        os.close(to_read)
        os.close(to_write)
        # who does not answer is ended, which ends every read
        self.late = threading.Timer(4 * WAIT_S, self.kill)
        self.late.start()
        self.rest = b""
        self.n = 0
        self.session = None
        self.complaints = []
        self.loaded = 0
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for part in ("Page", "Runtime", "Log"):
            self.call(part + ".enable")
        self.resize(width, height)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if dark else "light"}])

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self):
        self.late.cancel()
        self.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.come)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self):
        while b"\0" not in self.rest:
            more = os.read(self.come, 65536)
            if not more:
                raise EOFError("the browser has ended")
            self.rest += more
        text, _, self.rest = self.rest.partition(b"\0")
        return json.loads(text)

    def hear(self, message):
        name, told = message.get("method"), message.get("params", {})
        if name == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])
        elif name == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"]))
        elif name == "Page.loadEventFired":
            self.loaded += 1

    def call(self, method, **params):
        self.n += 1
        message = {"id": self.n, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            got = self.read()
            if got.get("id") != self.n:
                self.hear(got)
                continue
            assert "error" not in got, got
            return got["result"]

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=width < 500)

    def open(self, url):
        before = self.loaded
        self.call("Page.navigate", url=url)
        while self.loaded == before:
            self.hear(self.read())

    def run(self, script):
        """The value of an expression, which may be a promise."""
        got = self.call("Runtime.evaluate", expression=script,
                        awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def press(self, key, text=None):
        code = {"Tab": 9, "Enter": 13}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code, **more)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self):
        """PNG, of what is in the window."""
        return self.call("Page.captureScreenshot", format="png")["data"]
