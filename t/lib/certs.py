"""Certificates, made by openssl when a test first asks for them: an authority
and what it signs. One set serves all tests of a run of pytest."""
import base64
import hashlib
import pathlib
import ssl
import subprocess
import tempfile

MAKE_S = 60
KINDS = {
    "rsa": ["rsa:2048"],
    "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
}


def openssl(*args, **kwargs):
    """Run it; its standard output."""
    return subprocess.run(["openssl", *map(str, args)], check=True, text=True,
                          capture_output=True, timeout=MAKE_S, **kwargs).stdout


def spki(pem):
    """RFC 7469 2.4: the hash of a certificate's public key."""
    key = openssl("x509", "-in", pem, "-pubkey", "-noout")
    body = "".join(key.splitlines()[1:-1])
    return base64.b64encode(
        hashlib.sha256(base64.b64decode(body)).digest()).decode()


class Authority:
    """A folder of files: NAME.pem and NAME.key for each name that was asked
    for, ca.pem for all who trust it. One that stands `under` another is signed
    by that, and clients need ca.pem in the server's chain."""

    def __init__(self, name="ca", under=None):
        self.kept = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.kept.name)
        self.dir.chmod(0o755)
        self.serial = 0
        new = ["req", "-newkey", *KINDS["ec"], "-nodes", "-keyout",
               self.dir / "ca.key", "-subj", f"/CN=Test {name}"]
        if under is None:
            openssl(*new, "-x509", "-days", 30, "-out", self.pem)
            return
        openssl(*new, "-out", self.dir / "ca.csr")
        ext = self.dir / "ca.ext"
        ext.write_text("basicConstraints=critical,CA:TRUE\n"
                       "keyUsage=keyCertSign,cRLSign\n")
        openssl("x509", "-req", "-in", self.dir / "ca.csr", "-CA", under.pem,
                "-CAkey", under.dir / "ca.key", "-set_serial", 0xab0000,
                "-days", 30, "-extfile", ext, "-out", self.pem)

    @property
    def pem(self):
        return self.dir / "ca.pem"

    def make(self, file, *names, kind="ec", days=30, client=False, cn=None,
             ips=(), ends=None, begins="20200101000000Z", usage=None, more=()):
        """FILE.pem and FILE.key of a leaf for these hosts and addresses;
        returns the path of the first. `ends` (YYYYMMDDHHMMSSZ) may be in the
        past; `begins` holds with it. `more`: lines of other extensions."""
        pem, key = self.dir / f"{file}.pem", self.dir / f"{file}.key"
        if pem.exists():
            return pem
        ext = self.dir / f"{file}.ext"
        sans = ["DNS:" + n for n in names] + ["IP:" + ip for ip in ips]
        ext.write_text(
            "basicConstraints=critical,CA:FALSE\n"
            "extendedKeyUsage="
            f"{usage or ('clientAuth' if client else 'serverAuth')}\n"
            + (f"subjectAltName={','.join(sans)}\n" if sans else "")
            + "".join(line + "\n" for line in more))
        openssl("req", "-newkey", *KINDS[kind], "-nodes", "-keyout", key,
                "-out", self.dir / f"{file}.csr",
                "-subj", f"/O=Test/CN={cn or file}")
        self.serial += 1
        if ends is None:
            openssl("x509", "-req", "-in", self.dir / f"{file}.csr",
                    "-CA", self.pem, "-CAkey", self.dir / "ca.key",
                    "-set_serial", 0xabc000 + self.serial,
                    "-days", days, "-extfile", ext, "-out", pem)
        else:
            self._sign_until(file, begins, ends)
        key.chmod(0o644)
        return pem

    def _sign_until(self, file, begins, ends):
        """`openssl x509` signs for the future only."""
        conf = self.dir / "sign.cnf"
        (self.dir / "sign.txt").write_text("")
        (self.dir / "sign.serial").write_text(f"{0xabd000 + self.serial:x}\n")
        conf.write_text(
            "[ca]\ndefault_ca=x\n[x]\n"
            f"database={self.dir}/sign.txt\nnew_certs_dir={self.dir}\n"
            f"serial={self.dir}/sign.serial\ndefault_md=sha256\npolicy=p\n"
            "[p]\norganizationName=supplied\ncommonName=supplied\n")
        openssl("ca", "-batch", "-notext", "-config", conf,
                "-in", self.dir / f"{file}.csr", "-cert", self.pem,
                "-keyfile", self.dir / "ca.key", "-startdate", begins,
                "-enddate", ends,
                "-extfile", self.dir / f"{file}.ext",
                "-out", self.dir / f"{file}.pem")

    def context(self, alpn=("http/1.1",), cert=None, version=None):
        """For a client that trusts this authority."""
        ctx = ssl.create_default_context(cafile=str(self.pem))
        ctx.set_alpn_protocols(list(alpn))
        if version is not None:
            ctx.minimum_version = ctx.maximum_version = version
        if cert is not None:
            ctx.load_cert_chain(cert, cert.with_suffix(".key"))
        return ctx

    def crl(self, *revoked, ends=None):
        """A list that names these certificates; its path. `ends`
        (YYYYMMDDHHMMSSZ) may be in the past."""
        conf, index = self.dir / "crl.cnf", self.dir / "index.txt"
        path = self.dir / ("crl.pem" if ends is None else "crl-old.pem")
        times = [] if ends is None else ["-crl_lastupdate", "20200101000000Z",
                                         "-crl_nextupdate", ends]
        conf.write_text("[ca]\ndefault_ca=x\n[x]\n"
                        f"database={index}\ndefault_md=sha256\n"
                        "default_crl_days=30\n")
        index.write_text("")
        for pem in revoked:
            openssl("ca", "-config", conf, "-revoke", pem, "-cert", self.pem,
                    "-keyfile", self.dir / "ca.key")
        openssl("ca", "-config", conf, "-gencrl", "-cert", self.pem,
                "-keyfile", self.dir / "ca.key", *times, "-out", path)
        return path
