"""Certificates for tests, made with the openssl command in a temporary folder."""

import base64
import hashlib
import ssl
import subprocess

CA_CONFIG = """
[ca]
default_ca = here
[here]
new_certs_dir = {d}
database = {d}/index.txt
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {san}
"""
LOCAL = "DNS:localhost, IP:127.0.0.1, IP:::1"


def openssl(*args):
    p = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return p.stdout


def see_truncation(context):
    """Tell a bare FIN from a close_notify, which Python by default does not."""
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


class Pki:
    """`ca`: the trusted authority. Leaves (pairs of certificate and key file): `good`,
    `expired`, `wrong_name`, `stranger` (signed by another authority), `client`."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = self._authority("ca")
        other = self._authority("other")
        self.good = self._leaf("good", "localhost", LOCAL)
        self.expired = self._leaf("expired", "localhost", LOCAL, "200101000000Z",
                                  "200201000000Z")
        self.wrong_name = self._leaf("wrong", "elsewhere.test", "DNS:elsewhere.test")
        self.stranger = self._leaf("stranger", "localhost", LOCAL, ca=other)
        self.client = self._leaf("client", "a tester", "DNS:client.test")

    def _authority(self, name):
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                f"/CN=wstape tests {name}", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign")
        return cert, key

    def _leaf(self, name, cn, san, start=None, end=None, ca=None):
        d = self.folder / f"ca-{name}"
        d.mkdir()
        (d / "index.txt").touch()
        (d / "ca.cnf").write_text(CA_CONFIG.format(d=d, san=san))
        cert, key, csr = d / "cert.pem", d / "key.pem", d / "req.pem"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", csr, "-subj", f"/CN={cn}")
        dates = ["-startdate", start, "-enddate", end] if start else ["-days", "2"]
        ca_cert, ca_key = ca or self.ca
        openssl("ca", "-batch", "-notext", "-config", d / "ca.cnf", "-extensions", "leaf",
                "-cert", ca_cert, "-keyfile", ca_key, "-in", csr, "-out", cert, *dates)
        return cert, key

    @property
    def ca_file(self):
        return self.ca[0]

    def serving(self, leaf, want_client=False):
        c = see_truncation(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        c.load_cert_chain(*leaf)
        if want_client:
            c.load_verify_locations(self.ca_file)
            c.verify_mode = ssl.CERT_REQUIRED
        return c

    def trusting(self, ca_file=None):
        c = see_truncation(ssl.create_default_context(cafile=str(ca_file or self.ca_file)))
        c.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
        return c

    def spki(self, leaf):
        """What Chromium calls a certificate: base64 of SHA-256 of its public key."""
        pem = openssl("x509", "-in", leaf[0], "-noout", "-pubkey")
        der = base64.b64decode("".join(pem.splitlines()[1:-1]))
        return base64.b64encode(hashlib.sha256(der).digest()).decode()
