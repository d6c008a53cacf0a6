# SPDX-License-Identifier: Apache-2.0
"""Certificates for a test, made by the openssl program: an authority and those that it vouches for."""

import pathlib
import subprocess

NAMES = "DNS:localhost,IP:127.0.0.1"


def openssl(*arguments):
    """Runs openssl to its end; gives what it wrote to standard output."""
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


class Identity:
    """The files of a certificate and its private key."""

    def __init__(self, certificate, key):
        self.certificate = certificate
        self.key = key

    def read(self):
        """Both as bytes, the key first, as grpcio wants them."""
        return self.key.read_bytes(), self.certificate.read_bytes()


class Authority:
    """Its certificate is at `certificate`; all files are in `folder`."""

    def __init__(self, folder, name="authority"):
        self.folder = pathlib.Path(folder)
        self.identity = self._files(name)
        self.certificate = self.identity.certificate
        self._request(name, self.identity, "-x509", "-days", 1)

    def server(self, name="server", days=1):
        """Valid for localhost and 127.0.0.1, from now for `days`; 0: it expires at once."""
        return self._issue(name, days, f"subjectAltName={NAMES}\nextendedKeyUsage=serverAuth\n")

    def client(self, name="client"):
        return self._issue(name, 1, "extendedKeyUsage=clientAuth\n")

    def _files(self, name):
        return Identity(self.folder / f"{name}.pem", self.folder / f"{name}.key.pem")

    def _request(self, name, identity, *more):
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", identity.key, "-out", identity.certificate, "-subj", f"/CN={name}",
                *more)

    def _issue(self, name, days, extensions):
        identity = self._files(name)
        self._request(name, identity)
        settings = self.folder / f"{name}.extensions"
        settings.write_text(extensions)
        openssl("x509", "-req", "-in", identity.certificate, "-out", identity.certificate,
                "-CA", self.certificate, "-CAkey", self.identity.key, "-CAcreateserial",
                "-days", days, "-extfile", settings)
        return identity
