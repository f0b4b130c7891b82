"""What is wrong with a [cache] is told with its place."""
import pytest

from lib.gatehouse import run

INI = "[site s]\nupstream = 127.0.0.1:1\ncache = %s\n[cache %s]\n%s\n"


@pytest.mark.parametrize("name, line, said", [
    ("a" * 42, "", "4:8: error: the name of a cache has 41 bytes at most"),
    ("a", "tag_header = bad header",
     "5:14: error: 'bad header' is no name of a field"),
    ("a", "purge_allow = nobody",
     "5:15: error: [cache a]: acl 'nobody' is not defined"),
    ("a", "memory = 1k", "5:10: error: "),
    ("a", "memory = 500g", "4:1: error: the memory of cache 'a' does not fit: "
                           "the machine has less free"),
    ("a", "key = {nothing}", "5:7: error: "),
], ids=["name", "tag_header", "purge_allow", "little", "much", "key"])
def test_a_mistake_is_told_where_it_is(name, line, said):
    done = run("-t", "-c", "/dev/stdin", stdin=INI % (name, name, line))
    assert done.returncode == 1
    assert said in done.stderr, done.stderr


def test_the_longest_name_is_taken(cached):
    """By the start, too."""
    name = "a" * 41
    gh, _ = cached(kept=f"cache = {name}",
                   more=f"[cache {name}]\nmemory = 1m\n")
    with gh.client() as c:
        assert c.get().text == "ok"
