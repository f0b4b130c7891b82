"""The gate of the process model: nobody notices a reload."""
import signal
import time

from lib.procs import Load

ORIGIN = """
[listen o]
address = 127.0.0.1:{port}
[site o]
hosts = *
respond = 200 hello
"""

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
[upstream app]
server = 127.0.0.1:{to}
"""

RELOADS = 40
PERIOD_S = 0.5


def test_40_reloads_in_20_s_cost_nothing(gatehouse):
    """No request fails, no kept connection is reset."""
    gh = gatehouse(INI, to=gatehouse(ORIGIN).port)
    with Load(gh.port) as load:
        begin = time.monotonic()
        for i in range(RELOADS):
            load.wait_answers(10)
            load.is_over.wait(
                max(0, begin + i * PERIOD_S - time.monotonic()))
            gh.reload()
        load.wait_answers(10)
    assert not load.failures, load.failures[:10]
    assert gh.stop(signal.SIGQUIT) == 0
    assert "died" not in gh.stderr()


def test_reloads_as_fast_as_they_go_cost_nothing(gatehouse):
    """The same when each follows at once: many generations retire at a time."""
    gh = gatehouse(INI, to=gatehouse(ORIGIN).port)
    with Load(gh.port, 2, 2) as load:
        for _ in range(20):
            gh.reload()
        load.wait_answers(10)
    assert not load.failures, load.failures[:10]
