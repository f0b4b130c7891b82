"""OCSP responses, made by `openssl ocsp` for certificates of lib.certs; with
other times, or otherwise changed, and signed again by the same key."""
import datetime

from .certs import openssl

SEQUENCE, BIT_STRING, OCTET_STRING, TIME = 0x30, 0x03, 0x04, 0x18


def item(tag, body):
    """One value in DER."""
    n = len(body)
    if n < 128:
        return bytes([tag, n]) + body
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 + len(size)]) + size + body


def items(data):
    """The (tag, body) of the values that stand one behind the other."""
    found = []
    while data:
        n, at = data[1], 2
        if n >= 128:
            at += n - 128
            n = int.from_bytes(data[2:at], "big")
        found.append((data[0], data[at:at + n]))
        data = data[at + n:]
    return found


def stamp(seconds):
    """GeneralizedTime of so many seconds from now."""
    when = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(seconds=seconds)
    return when.strftime("%Y%m%d%H%M%SZ").encode()


def serial(pem):
    return openssl("x509", "-in", pem, "-noout", "-serial").split("=")[1].strip()


def index(ca, *pems, revoked=()):
    """The database that `openssl ocsp` answers from; its path."""
    path = ca.dir / "ocsp.txt"
    path.write_text("".join(
        f"{'R' if pem in revoked else 'V'}\t300101000000Z\t"
        f"{'200101000000Z' if pem in revoked else ''}\t{serial(pem)}\t"
        f"unknown\t/O=Test/CN={pem.stem}\n" for pem in pems))
    return path


def ask(ca, pem):
    """The path of a request about a certificate."""
    path = pem.with_suffix(".ask")
    openssl("ocsp", "-issuer", ca.pem, "-cert", pem, "-no_nonce",
            "-reqout", path)
    return path


def reply_to(ca, request, *pems):
    """What the authority says to a request in DER, which knows these
    certificates."""
    asked, out = ca.dir / "asked.der", ca.dir / "said.der"
    asked.write_bytes(request)
    openssl("ocsp", "-index", index(ca, *pems), "-CA", ca.pem, "-rsigner",
            ca.pem, "-rkey", ca.dir / "ca.key", "-reqin", asked, "-respout",
            out, "-ndays", 1)
    return out.read_bytes()


def respond(ca, pem, *, signer=None, known=True, revoked=False, since=None,
            until=None, days=1, about=None, args=()):
    """The DER of a response about PEM (`about`: another one), good for `days`
    from now on, or for a time in seconds from now; `signer`: the (certificate,
    key) that signs instead of the authority."""
    out = pem.with_suffix(".der")
    cert, key = signer or (ca.pem, ca.dir / "ca.key")
    about = about or pem
    openssl("ocsp", "-index",
            index(ca, *[about] if known else [],
                  revoked=[about] if revoked else []),
            "-CA", ca.pem, "-rsigner", cert, "-rkey", key,
            "-reqin", ask(ca, about), "-respout", out,
            *(["-ndays", days] if days else []), *args)
    der = out.read_bytes()
    if since is not None or until is not None:
        der = retime(der, key, since, until)
    return der


def parts(der):
    """What surrounds the basic response, and its own parts: (tbs, algorithm,
    signature, certificates...)."""
    (_, response), = items(der)
    status, (_, wrapped) = items(response)
    (_, typed), = items(wrapped)
    oid, (_, octets) = items(typed)
    (_, basic), = items(octets)
    return (status, oid), items(basic)


def join(around, basic):
    (status, oid) = around
    octets = item(SEQUENCE, b"".join(item(*p) for p in basic))
    typed = item(SEQUENCE, item(*oid) + item(OCTET_STRING, octets))
    return item(SEQUENCE, item(*status) + item(0xa0, typed))


def retime(der, key, since, until):
    """The same, from and until so many seconds from now, signed again."""
    around, basic = parts(der)
    basic[0] = (SEQUENCE, move(basic[0][1], stamp(since or -60),
                               stamp(until or 86400)))
    return sign(around, basic, key)


def move(tbs, since, until):
    """thisUpdate and nextUpdate of the one answer in it."""
    fields = items(tbs)
    at = max(i for i, (tag, _) in enumerate(fields) if tag == SEQUENCE)
    (_, single), = items(fields[at][1])
    ident, status, _, *rest = items(single)
    rest = [p for p in rest if p[0] != 0xa0]
    single = [ident, status, (TIME, since), (0xa0, item(TIME, until)), *rest]
    fields[at] = (SEQUENCE, item(SEQUENCE, b"".join(
        item(*p) for p in single)))
    return b"".join(item(*p) for p in fields)


def sign(around, basic, key):
    tbs, out = key.with_suffix(".tbs"), key.with_suffix(".sig")
    tbs.write_bytes(item(*basic[0]))
    openssl("dgst", "-sha256", "-sign", key, "-out", out, tbs)
    basic[2] = (BIT_STRING, b"\0" + out.read_bytes())
    return join(around, basic)


def spoil(der):
    """The same with another signature."""
    around, basic = parts(der)
    body = bytearray(basic[2][1])
    body[-1] ^= 1
    basic[2] = (BIT_STRING, bytes(body))
    return join(around, basic)


def show(path):
    """The part of a response in a file that all programs print alike."""
    text = openssl("ocsp", "-respin", path, "-resp_text", "-noverify")
    return text[text.index("    Produced At"):text.index("    Signature Alg")]
