"""`pac = on`: a script for browsers at the proxy itself (Proxy Auto-Config)."""
import json
import re
import shutil
import subprocess

import pytest

from lib.wire import WAIT_S

# What browsers give such a script.
BROWSER = """
const isPlainHostName = h => !h.includes(".");
const dnsDomainIs = (h, d) => h.endsWith(d);
const isInNet = (h, net, mask) => {
  const n = s => s.split(".").reduce((a, b) => a * 256 + +b, 0) >>> 0;
  return (n(h) & n(mask)) >>> 0 === n(net);
};
"""
HOSTS = {"www.example.com": "PROXY", "8.8.8.8": "PROXY", "11.0.0.1": "PROXY",
         "172.32.0.1": "PROXY", "10.example.com": "PROXY",
         "intranet": "DIRECT", "printer.local": "DIRECT", "10.1.2.3": "DIRECT",
         "172.31.0.1": "DIRECT", "192.168.0.1": "DIRECT", "::1": "DIRECT",
         "127.0.0.1": "DIRECT", "169.254.169.254": "DIRECT"}


def decide(script, hosts):
    """What a browser would do for each host."""
    run = BROWSER + script + "console.log(JSON.stringify(" + \
        json.dumps(hosts) + ".map(h => FindProxyForURL('http://' + h, h))))"
    done = subprocess.run(["node", "-e", run], capture_output=True,
                          timeout=WAIT_S, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(not shutil.which("node"), reason="no node")
def test_browsers_are_told_the_way(proxy):
    p = proxy("pac = on", is_open=False)
    for path in ("/proxy.pac", "/wpad.dat", "/proxy.pac?x"):
        got = p.get(path, host="Proxy.Test.:3128")
        assert got.status == 200
        assert got.get("content-type") == "application/x-ns-proxy-autoconfig"
        said = decide(got.text, list(HOSTS))
        assert [s.split()[0] for s in said] == list(HOSTS.values())
        assert {s for s in said if s != "DIRECT"} == \
            {f"PROXY proxy.test:{p.gh.port}"}
    assert p.get("/proxy.pac", method="HEAD").status == 200


def test_nothing_else_is_served(proxy):
    """No other path, no host that would be more than a name in the script, and
    nothing without the key."""
    p = proxy("pac = on")
    for path in ("/", "/proxy.pac/", "/x/proxy.pac", "//proxy.pac"):
        assert p.get(path).status == 400
    assert p.get("/proxy.pac", method="POST").status == 400
    for host in ("a;b", "a'b", "0x7f.1", "a..b"):
        assert p.get("/proxy.pac", host=host).status == 400
    assert not re.search("DIRECT", p.get("/proxy.pac").text)
    assert proxy().get("/proxy.pac").status == 400
