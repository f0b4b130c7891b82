"""Databases of countries and networks in the format of MaxMind DB 2.0, as small
as a test needs them: records of 24 bits, IPv4 in ::/96."""
import ipaddress

MARKER = b"\xab\xcd\xefMaxMind.com"
STRING, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 5, 6, 7, 9, 11


def _head(kind, size):
    assert size < 29
    if kind <= MAP:
        return bytes([kind << 5 | size])
    return bytes([size, kind - 7])


def _number(kind, value):
    raw = value.to_bytes(8, "big").lstrip(b"\0")
    return _head(kind, len(raw)) + raw


def encode(value):
    """A value of the data section; numbers are UINT32."""
    if isinstance(value, dict):
        return _head(MAP, len(value)) + b"".join(
            encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return _head(ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, str):
        return _head(STRING, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return value
    return _number(UINT32, value)


def _bits(network):
    net = ipaddress.ip_network(network)
    bits = format(int(net.network_address), f"0{net.max_prefixlen}b")
    return ("0" * 96 if net.version == 4 else "") + bits[:net.prefixlen]


def database(networks, kind="Test-Country"):
    """The bytes of one: {"192.0.2.0/24": {"country": {"iso_code": "DE"}}}.
    No network may lie in another."""
    nodes, data = [[None, None]], b""
    for network, value in networks.items():
        bits, at = _bits(network), 0
        for bit in map(int, bits[:-1]):
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][int(bits[-1])] = ("data", len(data))
        data += encode(value)

    def record(to):
        if to is None:
            to = len(nodes)
        elif isinstance(to, tuple):
            to = len(nodes) + 16 + to[1]
        return to.to_bytes(3, "big")

    tree = b"".join(record(to) for node in nodes for to in node)
    meta = {
        "binary_format_major_version": _number(UINT16, 2),
        "binary_format_minor_version": _number(UINT16, 0),
        "build_epoch": _number(UINT64, 1),
        "database_type": kind,
        "description": {"en": kind},
        "ip_version": _number(UINT16, 6),
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": _number(UINT16, 24),
    }
    return tree + bytes(16) + data + MARKER + encode(meta)
