"""A gatehouse without brotli and zstd (doc/compression.md, "Builds"): it is
built without a warning, says what it lacks, and does the rest."""
import os
import subprocess
import sys
import zlib

import pytest

from conftest import JOBS, LIMIT_S, call
from lib import gatehouse as lib_gatehouse
from lib.gatehouse import TOP, run

pytestmark = pytest.mark.heavy

TEXT = "bottle" * 300
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
compress = gzip
respond = 200 %s
""" % TEXT


@pytest.fixture(scope="module")
def built(unpack):
    source = unpack()
    # with the usual optimization: without it the compiler warns of less
    call("./configure", "--quiet", "--enable-werror", "--disable-lto",
         "--without-brotli", "--without-zstd", cwd=source)
    call("make", "-s", f"-j{JOBS}", "gatehouse", "t/unit/test_codec",
         cwd=source)
    return source


@pytest.fixture
def binary(built, monkeypatch):
    path = built / "gatehouse"
    monkeypatch.setattr(lib_gatehouse, "BINARY", str(path))
    return path


def test_its_version_tells(binary):
    told = call(binary, "-V", cwd=binary.parent).stdout.splitlines()
    assert {"option zlib on", "option brotli absent", "option zstd absent",
            "option brotli-dictionaries absent"} <= set(told)


@pytest.mark.parametrize("word, library", [
    ("br", "brotli"), ("zstd", "zstd"), ("dcz", "zstd"),
    ("dcb", "prepared dictionaries of brotli (1.1)")])
def test_what_it_cannot_do_is_an_error_with_its_place(binary, tmp_path, word,
                                                      library):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[listen x]\naddress = :80\n[site a]\nrespond = 200 a\n"
                   f"compress = gzip {word}\n")
    done = run("-c", ini, "-t")
    assert done.returncode == 1
    assert f"{ini}:5:17: error: compress: this gatehouse was built without " \
        f"{library}" in done.stderr
    assert done.stderr.count("error:") == 1


def test_the_rest_is_done(binary, gatehouse):
    gh = gatehouse(INI)
    with gh.client() as c:
        r = c.get("/", extra=b"Accept-Encoding: br, zstd, gzip\r\n")
        assert r.get("content-encoding") == "gzip"
        assert zlib.decompress(r.body, 31).decode() == TEXT
        assert not c.get("/", extra=b"Accept-Encoding: br, zstd\r\n").get(
            "content-encoding")


def test_tests_judge_what_is_there(binary):
    """None fails for what the build lacks."""
    call("t/unit/test_codec", cwd=binary.parent)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         f"--rootdir={TOP}/t", f"{TOP}/t/flow/filter", f"{TOP}/t/flow/files"],
        env={**os.environ, "GATEHOUSE": str(binary)}, capture_output=True,
        text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout
    assert "skipped" in done.stdout
