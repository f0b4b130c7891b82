"""A client of the administration's socket."""
import json
import subprocess

from .gatehouse import BINARY
from .wire import WAIT_S, Client

SECTION = "\n[admin]\nlisten = unix:{dir}/admin.sock\n"


def path(gh):
    return str(gh.dir / "admin.sock")


def connect(gh, where=None):
    return Client(where or path(gh), timeout=WAIT_S)


def ask(gh, method, target, where=None):
    """One request on a connection of its own: (status, object)."""
    with connect(gh, where) as c:
        answer = c.get(target, method=method)
        return answer.status, json.loads(answer.text)


def status(gh, where=None):
    code, answer = ask(gh, "GET", "/v1/status", where)
    assert code == 200, answer
    return answer


def post(gh, word, content=None):
    """An order, with an object as its content if told: (status, object)."""
    body = b"" if content is None else json.dumps(content).encode()
    with connect(gh) as c:
        c.send(b"POST /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" %
               (word.encode(), len(body)) + body)
        answer = c.response("POST")
        return answer.status, json.loads(answer.text)


def cli(gh, *args, **kwargs):
    """gatehouse status -c FILE ..."""
    return subprocess.run([BINARY, "status", "-c", str(gh.ini), *args],
                          text=True, capture_output=True, timeout=WAIT_S,
                          check=False, **kwargs)


def steward(gh):
    """Its pid, or None while there is none."""
    pids = list(gh.children("master (health)"))
    return pids[0] if pids else None


def serving(gh):
    """Pids of the workers that serve, all of which live, or None: one that has
    died serves until the master hears of it."""
    workers = status(gh)["workers"]
    pids = sorted(w["pid"] for w in workers if w["state"] == "serving")
    is_all = len(pids) == len(workers) and pids == sorted(gh.workers())
    return pids if is_all else None
