"""USR1 while a worker is out of descriptors: the log that it cannot take is said
to be missing, and the worker goes on; it does not think that its master is
gone."""
import os
import pwd
import resource
import signal

from lib.procs import open_files, until

INI = """
[global]
workers = 1
user = {user}
error_log = {dir}/error.log
shutdown_timeout = 1s
[listen x]
address = 127.0.0.1:{port}
[log access]
path = {dir}/access.log
format = {uri}
buffer = none
[site s]
hosts = *
respond = 200
"""


def first_free(pid):
    used = set(open_files(pid))
    return next(i for i in range(len(used) + 1) if i not in used)


def test_a_log_that_cannot_be_taken(gatehouse):
    # whose limits a test may change
    user = pwd.getpwuid(os.getuid()).pw_name
    gh = gatehouse(INI.replace("{user}", user))
    log, errors = gh.dir / "access.log", gh.dir / "error.log"
    pid, = gh.workers()
    with gh.client() as c:
        assert c.get("/first").status == 200
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE,
                         (first_free(pid), limits[1]))
        log.rename(gh.dir / "access.old")
        gh.send_signal(signal.SIGUSR1)
        until(lambda: "log not reopened" in errors.read_text())
        assert c.get("/second").status == 200
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        # the master has one already, which nobody wrote
        log.unlink()
        gh.send_signal(signal.SIGUSR1)

        def is_taken():
            assert c.get("/third").status == 200
            return "/third" in log.read_text()
        until(is_taken)
    # new ones are served by the same
    with gh.client() as c:
        assert c.get("/").status == 200
    assert gh.workers() == [pid]
    assert "/second" in (gh.dir / "access.old").read_text()
