"""Configurations that nobody writes by accident: always a clear error, in
bounded time, with bounded output."""
import os
import subprocess
import time

import pytest

from lib.gatehouse import BINARY, run
from lib.wire import WAIT_S

SITE = "[site s]\nrespond = 200 x\n"
# Far above what a busy machine needs, far below "for ever".
BOUND_S = 60
OUTPUT_MAX = 2 << 20


def many(n, text):
    return "".join(text.replace("%", str(i)) for i in range(n))


ROWS = {
    "empty": (b"", "nothing to serve"),
    "random": (bytes((i * 7919 >> 3) & 255 for i in range(300_000)),
               "error: "),
    "zeros": (b"\0" * 5_000_000, "the line is longer than 65534 bytes"),
    "17 MB": (b"# x\n" * (17 << 18), "the file is too large"),
    "1 MB line": (SITE + "x = " + "a" * 1_000_000 + "\n",
                  "3:1: error: the line is longer than 65534 bytes"),
    "long header": ("[" + "a" * 60_000 + "]\n", "unknown section type"),
    "600,000 unknown keys": (SITE + many(600_000, "trusted = %\n"),
                             "more are not shown"),
    "20,000 unknown names": (many(20_000, "[upstream u%]\nserver = a:1\n"
                                  "[site s%]\nupstream = x%\n"),
                             "did you mean"),
    "10,000 times one section": (SITE * 10_000, "stands twice"),
    "10,000 sites of one host": (many(10_000, "[site s%]\nhosts = h\n"
                                      "respond = 200 x\n"),
                                 "is served by"),
    "too many servers": (SITE + "[upstream a]\nserver = a:1\n" + many(
        12_000, "[upstream a]\nextend = on\nserver = b:%1\n"), "error: "),
    "regex": (SITE + "[route s ~ ^/(((a{1,999}){1,999}){1,999})$]\n",
              "too large"),
    "numbers": ("[global]\nworkers = 99999999999999999999\nshared_memory = "
                "99999999999999g\n" + SITE, "too large"),
    "directory": (SITE + "[route s /a]\nrespond = 200 file:/\n",
                  "not a regular file"),
    "device": (SITE + "[route s /a]\nrespond = 200 file:/dev/zero\n",
               "not a regular file"),
    "include a device": ("[global]\ninclude = /dev/zero\n" + SITE,
                         "not a regular file"),
    "include a folder": ("[global]\ninclude = /\n" + SITE, "Is a directory"),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_clear_error_in_bounded_time(check, row):
    """Status 1, the reason, an end to the output."""
    ini, words = ROWS[row]
    begin = time.monotonic()
    done = subprocess.run([BINARY, "-t", "-c", "/dev/stdin"],
                          input=ini if isinstance(ini, bytes) else
                          ini.encode(), capture_output=True, check=False,
                          timeout=BOUND_S)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 1
    assert words in said
    assert said.rstrip().endswith(("error", "errors"))
    assert len(said) < OUTPUT_MAX
    assert time.monotonic() - begin < BOUND_S


@pytest.mark.parametrize("ini", [
    many(10_000, "[upstream u%]\nserver = 10.0.0.1:80\n[site s%.example]\n"
         "upstream = u%\n"),
    SITE + many(10_000, "[route s /r%]\nrespond = 200 %\n"),
    SITE + "\n" * 5_000_000,
], ids=["sites", "routes", "lines"])
def test_large_but_right_is_valid(check, ini):
    """10,000 of something is a configuration like any other."""
    assert check(ini).returncode == 0


def test_nothing_of_a_binary_reaches_the_terminal_raw(check):
    """Control bytes and broken UTF-8 of a source line are shown as `?`."""
    done = check(b"[site s]\na\x1b[31m\x9b\xc2\x9bz = 1\n\x7f = 2\n"
                 b"\xff\xfe = \xc3\xa4\n")
    assert done.returncode == 1
    assert not set(done.stderr) & {"\x1b", "\x7f", "\x9b"}
    assert "a?[31m??z = 1" in done.stderr
    assert "?? = \xe4" in done.stderr


@pytest.mark.parametrize("flag", ["-t", "-T"])
def test_a_pipe_that_nobody_writes_is_given_up(tmp_path, flag):
    """-c FIFO: the reason, in seconds."""
    os.mkfifo(tmp_path / "fifo")
    done = run(flag, "-c", tmp_path / "fifo")
    assert done.returncode == 1
    assert "nobody has written it to its end" in done.stderr


def test_a_pipe_that_is_written_is_read(tmp_path):
    """-c <(...), as shells do it."""
    read, write = os.pipe()
    os.write(write, SITE.encode())
    os.close(write)
    done = subprocess.run([BINARY, "-t", "-c", f"/dev/fd/{read}"],
                          pass_fds=[read], check=False, timeout=WAIT_S,
                          capture_output=True)
    os.close(read)
    assert done.returncode == 0


def test_deep_and_wide_includes(check, tmp_path):
    """A chain of 40 files, and a pattern over 1,500: the bound is named."""
    for i in range(40):
        (tmp_path / f"d{i}").write_text(f"[global]\ninclude = d{i + 1}\n")
    done = check("[global]\ninclude = d0\n" + SITE)
    assert done.returncode == 1
    assert "more than 16 deep" in done.stderr
    (tmp_path / "w").mkdir()
    for i in range(1500):
        (tmp_path / "w" / f"{i}.ini").write_text("")
    done = check("[global]\ninclude = w/*.ini\n" + SITE)
    assert done.returncode == 1
    assert "more than 1024 files" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists(
    "/usr/bin/setpriv"), reason="root reads everything; needs setpriv")
def test_an_unreadable_file_is_named(tmp_path):
    """EACCES, of the file and of an included one."""
    plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] \
        if os.geteuid() == 0 else []
    ini = tmp_path / "x.ini"
    hidden = tmp_path / "hidden.ini"
    hidden.write_text(SITE)
    hidden.chmod(0)
    ini.write_text("[global]\ninclude = hidden.ini\n")
    for path, place in ((hidden, "error: "), (ini, "x.ini:2:11: error: ")):
        done = subprocess.run([*plain, BINARY, "-t", "-c", str(path)],
                              capture_output=True, text=True, check=False,
                              timeout=WAIT_S)
        assert done.returncode == 1
        assert f"{place}cannot read '{hidden}': Permission denied" in \
            done.stderr
