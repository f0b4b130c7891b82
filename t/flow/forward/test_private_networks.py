"""Whatever the spelling, whatever the way there: a proxy for strangers is no way
to the own machine and the own network (SSRF)."""
from lib.dns import CNAME, Dns, answer, question, wire_name

LITERALS = """
127.0.0.1 127.0.0.1. 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255
100.64.0.1 100.100.100.200 169.254.169.254 169.254.170.2 172.16.0.1
172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1
198.51.100.1 203.0.113.1 168.63.129.16 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255 [::] [::1] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::7f00:1]
[::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:10.0.0.1] [0:0:0:0:0:ffff:a9fe:a9fe]
[::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::a9fe:a9fe]
[64:ff9b::10.0.0.1] [64:ff9b:1::1] [2002:7f00:1::] [2002:a00:1::1]
[2001::1] [2001:0:7f00:1::] [2001:db8::1] [100::1] [fc00::1] [fd00:ec2::254]
[fe80::1] [febf::1] [fec0::1] [ff02::1] [5f00::1] [3fff::1] [4000::1] [1::1]
localhost LOCALHOST localhost. foo.localhost
""".split()
NAMES = {
    "loop.test": ["127.0.0.1"], "six.test": ["::1"],
    "both.test": ["127.0.0.1", "::1"], "meta.test": ["169.254.169.254"],
    "mapped.test": ["::ffff:10.0.0.1"], "nat.test": ["64:ff9b::7f00:1"],
    "to4.test": ["2002:7f00:1::"], "ula.test": ["fd00::1"],
    "ten.test": ["10.1.2.3", "192.168.1.1"],
}


def test_no_spelling_leads_inside(proxy, origin):
    """Plain and through a tunnel, on the port of a server that is there and on
    another; never a connection."""
    o = origin()
    p = proxy("connect_ports = 1-65535", zone=NAMES, is_open=False)
    hosts = LITERALS + [n + dot for n in NAMES for dot in ("", ".")]
    for host in hosts:
        got = p.get(f"http://{host}:{o.port}/", host=f"127.0.0.1:{o.port}")
        assert got.status == 403, host
        c, got = p.connect(f"{host}:{o.port}")
        c.close()
        assert got.status == 403, host
    assert {line.split()[1] for line in p.lines(2 * len(hosts))} == \
        {"private_address"}
    assert not o.conns


def test_a_chain_of_names_is_judged_at_its_end(proxy, origin):
    o = origin()

    def chain(query):
        name, kind, end = question(query)
        if name != "a.test":
            return answer(query, ["127.0.0.1"])
        out = answer(query, [])
        record = (b"\xc0\x0c" + CNAME.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" +
                  len(wire_name("b.test")).to_bytes(2, "big") +
                  wire_name("b.test"))
        address = (wire_name("b.test") + b"\0\1\0\1\0\0\0\x3c\0\4" +
                   b"\x7f\0\0\1") if kind == 1 else b""
        return (out[:6] + (1 + bool(address)).to_bytes(2, "big") + out[8:end]
                + record + address)

    p = proxy(dns=Dns(script=chain), is_open=False)
    assert p.get(f"http://a.test:{o.port}/").status == 403
    assert p.lines()[0].split()[1] == "private_address"
    assert not o.conns
