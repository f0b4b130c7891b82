"""bench/cases: what bench/run and bench/hit measure, a row each."""
import typing


class Case(typing.NamedTuple):
    """
    load     what the load generator is told
    counted  requests of the pass that counts system calls; 0: no such pass
    idle     clients that ask once and stay; 0: load as fast as may be
    by       "load" (bench/load) or "h2load"
    is_tls   clients speak TLS
    is_h2    they speak HTTP/2
    is_log   the proxy writes an access log, and runs beside itself without
    is_own   the proxy answers by itself
    """

    load: list
    counted: int = 0
    idle: int = 0
    by: str = "load"
    is_tls: bool = False
    is_h2: bool = False
    is_log: bool = False
    is_own: bool = False


KIB = ["-p", "/1k", "-e", "1024"]
OWN = ["-p", "/own", "-e", "1024"]
# 8 connections with 32 streams each
H2 = ["-c", "8", "-m", "32"]

CASES = {
    "1k": Case(KIB, 20000),
    "10k": Case(["-p", "/10k", "-e", "10240"], 20000),
    "1m": Case(["-p", "/1m", "-e", "1048576", "-c", "16"], 1000),
    "chunked10k": Case(["-p", "/chunked10k", "-e", "10240"], 20000),
    "post4k": Case(["-p", "/post", "-b", "4096", "-e", "3"], 20000),
    "oneshot": Case([*KIB, "-o"], 10000),
    "log": Case(KIB, 20000, is_log=True),
    "openloop": Case([*KIB, "-r", "5000"], 5000),
    "idle10k": Case(KIB, idle=10000),
    "own": Case(OWN, 20000, is_own=True),
    "tlsown": Case(["-S", *OWN], 20000, is_tls=True, is_own=True),
    "tls1k": Case(["-S", *KIB], 20000, is_tls=True),
    "tlsfull": Case(["-S", "-o", *OWN], 5000, is_tls=True, is_own=True),
    "tlsresumed": Case(["-R", "-o", *OWN], 5000, is_tls=True, is_own=True),
    "tlsidle": Case(["-S", *OWN], idle=4000, is_tls=True, is_own=True),
    "h2own": Case([*H2, "/own"], 20000, by="h2load", is_tls=True, is_h2=True,
                  is_own=True),
    "h2proxied": Case([*H2, "/1k"], 20000, by="h2load", is_tls=True,
                      is_h2=True),
}

# What is seen of a request: as little as can be, each for itself, and all of it.
# At a rate, for clients that wait for a slower proxy sleep, and waking them is
# what it then pays too.
SEEN = {name: Case([*KIB, "-r", "30000"])
        for name in ("unseen", "logged", "decisions", "hitters", "seen")}

# Hits of a cache.
KEPT_1K = ["-p", "/kept1k", "-e", "1024"]

HITS = {
    "hit1k": Case(KEPT_1K, 20000),
    "hit10k": Case(["-p", "/kept10k", "-e", "10240"], 20000),
    "hit100k": Case(["-p", "/kept100k", "-e", "102400"], 5000),
    "hit1m": Case(["-p", "/kept1m", "-e", "1048576"], 1000),
    "hitoneshot": Case([*KEPT_1K, "-o"], 10000),
}

# Files that the proxy has itself.
ASSETS = {
    "file1k": Case(["-p", "/1k", "-e", "1024"], 20000),
    "file100k": Case(["-p", "/100k", "-e", "102400"], 5000),
    "file1m": Case(["-p", "/1m", "-e", "1048576"], 1000),
}

# What stands before an answer; clients say who they are in any case.
ANNA = ["-H", "Authorization: Basic YW5uYTpzZWNyZXQ="]
GUARDS = {name: Case([*OWN, *ANNA], 20000, is_own=True)
          for name in ("unguarded", "limit", "acl", "basic", "guarded")}
