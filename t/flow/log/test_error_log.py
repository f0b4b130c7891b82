"""The error log: levels, where it is, rotation."""
import os
import re
import signal

import pytest

from lib.procs import until

INI = """
[global]
workers = 1
%s
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
respond = 200
"""
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
                  r"(debug|info|notice|warn|error|fatal) [a-z0-9 ]+: .+")


def levels(text):
    """The levels in it; every line must have the form of all."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return {m[1] for m in found}


def test_lines_have_one_form(gatehouse):
    """doc/design: time, level, process, what happened as key=value."""
    gh = gatehouse(INI % "error_log = {dir}/e\nlog_level = debug")
    gh.reload()
    gh.send_signal(signal.SIGUSR1)
    until(lambda: "reopen logs" in (gh.dir / "e").read_text())
    assert gh.stop() == 0
    assert "notice" in levels((gh.dir / "e").read_text())


@pytest.mark.parametrize("lines, is_told", [
    ("log_level = notice", True), ("log_level = debug", True), ("", True),
    ("log_level = warn", False), ("log_level = error", False),
    ("log_level = fatal", False),
    ("[log error]\npath = {dir}/e\nlevel = notice", True),
    ("[log error]\npath = {dir}/e\nlevel = error", False),
])
def test_what_is_below_the_level_is_not_written(gatehouse, lines, is_told):
    """doc/config: log_level, or [log error] level instead of it."""
    if "[log error]" not in lines:
        lines = "error_log = {dir}/e\n" + lines
    gh = gatehouse(INI % lines)
    gh.reload()
    assert gh.stop() == 0
    text = (gh.dir / "e").read_text()
    assert ("notice" in levels(text)) is is_told


def test_the_error_log_rotates(gatehouse):
    """README, USR1: the error log of all processes is opened again."""
    gh = gatehouse(INI % "error_log = {dir}/e")
    gh.reload()
    os.rename(gh.dir / "e", gh.dir / "old")
    size = (gh.dir / "old").stat().st_size
    gh.send_signal(signal.SIGUSR1)
    until((gh.dir / "e").exists)
    gh.reload()
    assert gh.stop() == 0
    assert levels((gh.dir / "e").read_text())
    # the line that says so may still go to the old one
    late = (gh.dir / "old").read_text()[size:]
    assert len(late.splitlines()) <= 1
