"""The OWASP Core Rule Set 4 and its regression corpus, unmodified, through the
daemon. GH_CRS4 names its folder (rules/, crs-setup.conf.example, tests/, and
tools/ with the settings that the corpus expects); without it there is nothing
to run. Which tests pass is printed by folder (pytest -s)."""
import collections
import os
import pathlib

import pytest

from lib.procs import until

CRS = pathlib.Path(os.environ.get("GH_CRS4", "/nonexistent"))
pytestmark = pytest.mark.skipif(not CRS.is_dir(), reason="GH_CRS4 is not set")

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[waf crs]
setup = {crs}/tools/engine-test.conf
rules = {crs}/crs-setup.conf.example {crs}/tools/crs-test-setup.conf {crs}/rules
mode = detect
body_limit = 1m
audit_log = {dir}/waf.log
[site x]
hosts = *
upstream = app
waf = crs
[upstream app]
server = {origin}
"""
# Requests that are no HTTP/1.1 of RFC 9112: refused before any rule.
REFUSED = {"920100-4": 405, "920280-3": 505, "920290-4": 400, "920430-8": 505,
           "934120-24": 400}
SHARE_MIN = 0.998
# What is asked behind all others, so that all lines of the log are there.
LAST = (b"GET /?q=<script>alert(1)</script> HTTP/1.1\r\nHost: localhost\r\n"
        b"Connection: close\r\n\r\n")


def wrong_of(stage, status, ids):
    must, must_not = stage.wanted()
    said = stage.output.get("status")
    if stage.name in REFUSED:
        return status != REFUSED[stage.name] and f"status {status}"
    if said is not None and status != said:
        return f"status {status}, not {said}"
    if must - ids:
        return f"{sorted(must - ids)} did not log"
    return must_not & ids and f"{sorted(must_not & ids)} logged"


def test_the_corpus(gatehouse, origin):
    crs = pytest.importorskip("lib.crs")
    o = origin(crs.answered)
    gh = gatehouse(INI, origin=o.address, crs=CRS)
    passed, failed = collections.Counter(), []
    for folder in sorted((CRS / "tests").iterdir()):
        stages = crs.stages(folder)
        first = test_the_corpus.number
        test_the_corpus.number += len(stages) + 1
        sent = [(stage, *crs.send(gh.port, first + i, stage.request()))
                for i, stage in enumerate(stages)]
        last, _ = crs.send(gh.port, test_the_corpus.number, LAST)
        log = gh.dir / "waf.log"
        until(lambda: last in log.read_text())
        ids = crs.logged(log)
        for stage, source, status in sent:
            why = wrong_of(stage, status, ids.get(source, set()))
            passed[folder.name] += not why
            if why:
                failed.append(f"{stage.name}: {why}")
        print(f"{folder.name}: {passed[folder.name]} of {len(stages)}")
    total = sum(passed.values()) + len(failed)
    print("\n".join(failed))
    assert sum(passed.values()) >= SHARE_MIN * total, failed


test_the_corpus.number = 0
