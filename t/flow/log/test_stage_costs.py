"""A build with --enable-stage-costs tells what each stage cost."""
import re

import pytest

from lib.gatehouse import run

INI = """
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
respond = 200
"""


@pytest.mark.skipif("option stage-costs on" not in run("-V").stdout,
                    reason="a build without --enable-stage-costs")
def test_every_stage_of_every_request_is_counted(gatehouse):
    """doc/performance: at a worker's end one line for each stage, with its
    calls and its time."""
    gh = gatehouse(INI)
    with gh.client() as c:
        for i in range(3):
            assert c.get(f"/{i}").status == 200
    assert gh.stop() == 0
    rows = {(t, s): (int(n), int(ns)) for t, s, n, ns in
            re.findall(r"stage cost table=(\S+) stage=(\S+) calls=(\d+) "
                       r"ns=(\d+) ", gh.stderr())}
    assert rows["request", "route"][0] >= 3
    assert rows["response", "send"][0] == rows["request", "route"][0]
    assert all(ns > 0 for _, ns in rows.values())
