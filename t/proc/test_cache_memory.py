"""Memory of [cache] in the shared segment (doc/shm.md 6.5): claimed by name for
each generation, given back with the last one, mended when a worker dies."""
from lib import admin
from lib.gatehouse import run
from lib.procs import kill_and_wait, segment_bytes, until

MIB = 1 << 20
INI = """
[global]
workers = 2
log_level = info
%s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 x
%s
""" + admin.SECTION


def ini(*caches, more=""):
    """Caches as (name, memory)."""
    return INI % (more, "".join(f"[cache {name}]\nmemory = {memory}\n"
                                for name, memory in caches))


def reload(gh, text):
    """Whether it was taken, and what was said."""
    last = admin.status(gh)["reload"]
    before = last["generation"] if last else 1
    gh.reload(text)

    def told():
        now = admin.status(gh)["reload"]
        return now and now["generation"] > before and now
    answer = until(told, what="word of the reload")
    until(lambda: len(admin.status(gh)["generations"]) == 1,
          what="the end of the other generation")
    return answer["ok"], answer.get("problems", "")


def has(gh, least, most):
    """Whether that many MiB of the segment are allocated, give or take what a
    master that gives up a range later does."""
    return until(lambda: least * MIB <= segment_bytes(gh.process.pid)
                 <= most * MIB, what=f"{least} to {most} MiB")


def test_each_cache_has_its_memory_at_once(gatehouse):
    """memory: allocated at the start, more of it or of them at a reload; a
    cache that is no more gives it back when the last that knew it has gone."""
    gh = gatehouse(ini())
    base = segment_bytes(gh.process.pid) / MIB
    assert reload(gh, ini(("a", "8m")))[0]
    has(gh, base + 7, base + 9)
    assert reload(gh, ini(("a", "16m"), ("b", "4m")))[0]
    has(gh, base + 18, base + 21)
    assert reload(gh, ini(("b", "4m")))[0]
    has(gh, base + 3, base + 5)
    assert reload(gh, ini())[0]
    has(gh, base, base + 1)


def test_a_cache_that_does_not_fit_is_refused(gatehouse):
    """shared_memory: a start or a reload whose caches are too large says so,
    and changes nothing."""
    small = "shared_memory = 24m"
    gh = gatehouse(ini(("a", "8m"), more=small))
    before = segment_bytes(gh.process.pid)
    is_ok, problems = reload(gh, ini(("a", "8m"), ("b", "40m"), more=small))
    assert not is_ok
    assert "the memory of cache 'b' does not fit: raise shared_memory" in \
        problems
    # a page for numbers of a new name stays, for the next one
    until(lambda: segment_bytes(gh.process.pid) < before + MIB // 16)
    assert reload(gh, ini(("a", "8m"), ("b", "40m")))[0]
    until(lambda: segment_bytes(gh.process.pid) > before + 35 * MIB)


def test_t_adds_up_what_caches_are_to_have(tmp_path):
    """-t says that they do not fit without making them."""
    path = tmp_path / "x.ini"
    text = "[global]\n%s[site s]\nrespond = 200 x\n[cache a]\nmemory = %s\n"
    path.write_text(text % ("", "1g"))
    assert run("-t", "-c", path).returncode == 0
    path.write_text(text % ("shared_memory = 1g\n", "1g"))
    done = run("-t", "-c", path)
    assert done.returncode == 1
    assert "x.ini:5:1: error: the memory of cache 'a' does not fit: raise " \
        "shared_memory" in done.stderr


def test_the_dead_are_mended_in_caches_the_steward_never_knew(gatehouse):
    """A steward that was born before the cache, and one that was born after:
    a worker that dies is repaired and its slot free again."""
    gh = gatehouse(ini())
    assert reload(gh, ini(("a", "8m")))[0]
    repaired = gh.stderr().count("repaired slot=")

    def kill_worker():
        nonlocal repaired
        victim = until(lambda: len(pids := gh.workers()) == 2 and pids)[0]
        kill_and_wait(victim)
        until(lambda: gh.stderr().count("repaired slot=") > repaired,
              what="the repair")
        repaired += 1
    kill_worker()
    kill_worker()
    kill_and_wait(until(lambda: admin.steward(gh)))
    # the next one mends the one before, and what dies then
    until(lambda: gh.stderr().count("repaired slot=") > repaired)
    repaired += 1
    kill_worker()
    kill_worker()
    assert "repair put off" not in gh.stderr()
    assert gh.client().get("/").status == 200
