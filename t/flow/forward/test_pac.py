"""`pac = on`: a script for browsers at the proxy itself (Proxy Auto-Config)."""
import json
import re
import shutil
import subprocess

import pytest

from lib.wire import WAIT_S

# What browsers give such a script, and what they ask it (Chromium's and Firefox'
# way: the host of an address of IPv6 without brackets, or with them).
BROWSER = """
const vm = require("vm");
const [script, urls] = JSON.parse(require("fs").readFileSync(0));
const fail = () => { throw new Error("a name is asked for"); };
const world = vm.createContext({
  isPlainHostName: h => !h.includes("."),
  dnsDomainIs: (h, d) => h.endsWith(d),
  localHostOrDomainIs: (h, d) => h === d || d.startsWith(h + "."),
  shExpMatch: () => false, dnsDomainLevels: h => h.split(".").length - 1,
  isInNet: fail, isResolvable: fail, dnsResolve: fail, myIpAddress: fail,
});
vm.runInContext(script, world);
console.log(JSON.stringify(urls.map(([url, host]) => {
  world.url = url; world.host = host;
  return vm.runInContext("FindProxyForURL(url, host)", world);
})));
"""
HOSTS = {"www.example.com": "PROXY", "8.8.8.8": "PROXY", "11.0.0.1": "PROXY",
         "172.32.0.1": "PROXY", "10.example.com": "PROXY",
         "9.255.255.255": "PROXY", "100.128.0.1": "PROXY",
         "223.255.255.255": "PROXY", "local.example.com": "PROXY",
         "xlocal": "DIRECT", "x.local.example.com": "PROXY",
         "2606:4700::1111": "PROXY", "[2606:4700::1111]": "PROXY",
         "3fff::1": "PROXY",
         "intranet": "DIRECT", "printer.local": "DIRECT", "A.LOCAL": "DIRECT",
         "app.localhost": "DIRECT", "nas.home.arpa": "DIRECT",
         "10.1.2.3": "DIRECT", "10.255.255.255": "DIRECT",
         "172.31.0.1": "DIRECT", "192.168.0.1": "DIRECT",
         "100.64.0.1": "DIRECT", "224.0.0.251": "DIRECT",
         "255.255.255.255": "DIRECT", "0.0.0.0": "DIRECT",
         "127.0.0.1": "DIRECT", "169.254.169.254": "DIRECT",
         "::1": "DIRECT", "[fe80::1]": "DIRECT", "fd00::1": "DIRECT",
         "::ffff:8.8.8.8": "DIRECT"}


def decide(script, hosts):
    """What a browser would do for each host, with any scheme."""
    urls = [(f"{scheme}://{host}/x?y", host) for host in hosts
            for scheme in ("http", "https", "wss")]
    done = subprocess.run(["node", "-e", BROWSER], capture_output=True,
                          text=True, input=json.dumps([script, urls]),
                          timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said[::3] == said[1::3] == said[2::3]
    return said[::3]


@pytest.mark.skipif(not shutil.which("node"), reason="no node")
def test_browsers_are_told_the_way(proxy):
    p = proxy("pac = on", is_open=False)
    for path in ("/proxy.pac", "/wpad.dat", "/proxy.pac?x"):
        got = p.get(path, host="Proxy.Test.:3128")
        assert got.status == 200
        assert got.get("content-type") == "application/x-ns-proxy-autoconfig"
        assert got.get("cache-control") == "max-age=3600"
        said = decide(got.text, HOSTS)
        assert {h: s.split()[0] for h, s in zip(HOSTS, said)} == HOSTS
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
    text = p.get("/proxy.pac").text
    assert not re.search("DIRECT", text)
    if shutil.which("node"):
        assert set(decide(text, HOSTS)) == {f"PROXY elsewhere.test:{p.gh.port}"}
    assert proxy().get("/proxy.pac").status == 400
