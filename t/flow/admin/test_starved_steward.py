"""A steward that has no descriptor free for what the master tells it begins
anew, and is told all of it again: it does not go on with what was."""
import os
import pwd
import resource

from lib import admin
from lib.procs import open_files, until

INI = """
[global]
workers = 1
user = {user}
[listen x]
address = 127.0.0.1:{port}
[admin]
listen = unix:{dir}/admin.sock
[site %s]
hosts = *
respond = 200
"""


def test_what_it_cannot_take(gatehouse):
    # whose limits a test may change
    user = pwd.getpwuid(os.getuid()).pw_name
    gh = gatehouse(INI.replace("{user}", user) % "one")
    first = until(lambda: admin.steward(gh))

    def told():
        return admin.ask(gh, "GET", "/v1/config")[1].get("effective", "")

    until(lambda: "[site one]" in told())
    used = set(open_files(first))
    hard = resource.prlimit(first, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(first, resource.RLIMIT_NOFILE,
                     (next(i for i in range(len(used) + 1) if i not in used),
                      hard))
    gh.reload(INI.replace("{user}", user) % "two")
    until(lambda: admin.steward(gh) not in (None, first))
    until(lambda: "[site two]" in told())
