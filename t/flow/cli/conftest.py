"""The command line: nothing is started, what it says is judged."""
import pytest

from lib.gatehouse import run


@pytest.fixture
def check(tmp_path):
    """check(ini, *flags) runs the binary on this text (default: -t)."""

    def make(ini, *flags, env=None, **files):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        path = tmp_path / "x.ini"
        if isinstance(ini, bytes):
            path.write_bytes(ini)
        else:
            path.write_text(ini.replace("{dir}", str(tmp_path)))
        return run(*(flags or ["-t"]), "-c", path, env=env)

    return make
