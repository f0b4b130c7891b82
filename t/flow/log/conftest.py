"""Logs are written after the answer: tests wait for lines."""
import pytest

from lib.procs import until


class Lines:
    """The lines of a log file; a line that is not whole is an error once the
    file is quiet."""

    def __init__(self, path):
        self.path = path

    def wait(self, n=1):
        """The first n lines, as bytes without their ends."""
        def whole():
            data = self.path.read_bytes() if self.path.exists() else b""
            return data.split(b"\n")[:-1][:n] if data.count(b"\n") >= n \
                else None
        return until(whole, what=f"{n} lines in {self.path.name}")

    def all(self):
        """Of a write that goes on, its first pages may be there alone."""
        def whole():
            data = self.path.read_bytes() if self.path.exists() else b""
            return (data.split(b"\n")[:-1],) if data[-1:] in (b"", b"\n") \
                else None
        return until(whole, what=f"whole lines in {self.path.name}")[0]


@pytest.fixture
def lines():
    return Lines
