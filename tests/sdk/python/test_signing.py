import base64
import hashlib
import os
import shutil
import subprocess
import sys
import unittest
from unittest import mock

from atom_sdk import AtomError
from atom_sdk._signing import sign_with_cryptography, sign_with_openssl, signature_for
from support import WithFolder

CONTENT = b"{\x00\xff}"
OPENSSL = shutil.which("openssl")
try:
    import cryptography  # noqa: F401

    CRYPTOGRAPHY = True
except ImportError:
    CRYPTOGRAPHY = False


def without_cryptography():
    return mock.patch.dict(sys.modules, {"cryptography": None})


class Sources(WithFolder):
    def failure(self, *given):
        with self.assertRaises(AtomError) as raised:
            signature_for(*given)
        return raised.exception

    def test_prefers_the_bundle_then_the_detached_signature(self):
        file = os.path.join(self.folder, "order.json")
        self.write("order.json.sig", b"TUVVQ0lR\nQQ==\n")
        self.assertEqual(signature_for(file, CONTENT, "/nowhere.pem"), {"signature": "TUVVQ0lRQQ=="})
        self.write("order.json.sigstore.json", {"mediaType": "a bundle"})
        self.assertEqual(signature_for(file, CONTENT, "/nowhere.pem"), {"bundle": {"mediaType": "a bundle"}})

    def test_names_the_three_ways_when_there_is_none(self):
        file = os.path.join(self.folder, "unsigned.yaml")
        error = self.failure(file, CONTENT, None)
        self.assertEqual(error.code, "signature_missing")
        for way in (file + ".sigstore.json", file + ".sig", "ATOM_SIGNING_KEY"):
            self.assertIn(way, str(error))

    def test_refuses_a_broken_bundle_and_a_broken_signature(self):
        file = os.path.join(self.folder, "bad.json")
        self.write("bad.json.sig", b"0E\x02!\xff")
        self.assertEqual(self.failure(file, CONTENT, None).code, "signature_malformed")
        self.write("bad.json.sigstore.json", b"not json")
        self.assertEqual(self.failure(file, CONTENT, None).code, "bundle_malformed")

    def test_says_what_signing_needs_when_nothing_can_sign(self):
        key = self.write("key.pem", b"any")
        with without_cryptography(), mock.patch.dict(os.environ, {"PATH": self.folder}):
            error = self.failure(os.path.join(self.folder, "absent.json"), CONTENT, key)
        self.assertEqual(error.code, "signing_key_unusable")
        self.assertIn("cryptography", str(error))
        self.assertIn("openssl", str(error))


@unittest.skipUnless(OPENSSL, "the openssl program is not installed")
class Signers(WithFolder):
    def key(self, name, *arguments):
        path = os.path.join(self.folder, name)
        subprocess.run([OPENSSL, "genpkey", "-out", path, *arguments], check=True, capture_output=True)
        return path

    def ec(self):
        return self.key("ec.pem", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")

    def rsa(self):
        return self.key("rsa.pem", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")

    def ed25519(self):
        return self.key("ed25519.pem", "-algorithm", "ED25519")

    def assert_verifies(self, key, made):
        public = key + ".pub"
        subprocess.run([OPENSSL, "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        signature = self.write("made.sig", base64.b64decode(made["signature"]))
        content = self.write("made.content", CONTENT)
        command = [OPENSSL, "dgst", "-sha256", "-verify", public, "-signature", signature, content]
        if key.endswith("ed25519.pem"):
            command = [OPENSSL, "pkeyutl", "-verify", "-rawin", "-in", content, "-pubin", "-inkey", public, "-sigfile", signature]
        self.assertEqual(subprocess.run(command, capture_output=True).returncode, 0)
        spki = subprocess.run(
            [OPENSSL, "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True
        ).stdout
        self.assertEqual(made["key_id"], base64.b64encode(hashlib.sha256(spki).digest()).decode())

    def test_signs_with_openssl_when_cryptography_is_absent(self):
        absent = os.path.join(self.folder, "absent.json")
        for key in (self.ec(), self.rsa(), self.ed25519()):
            with self.subTest(key), without_cryptography():
                self.assert_verifies(key, signature_for(absent, CONTENT, key))

    @unittest.skipUnless(CRYPTOGRAPHY, "the cryptography package is not installed")
    def test_signs_with_cryptography(self):
        absent = os.path.join(self.folder, "absent.json")
        for key in (self.ec(), self.rsa(), self.ed25519()):
            with self.subTest(key), mock.patch("subprocess.run", side_effect=AssertionError("openssl was run")):
                made = signature_for(absent, CONTENT, key)
            self.assert_verifies(key, made)

    @unittest.skipUnless(CRYPTOGRAPHY, "the cryptography package is not installed")
    def test_both_signers_agree(self):
        # Neither PKCS#1 v1.5 nor Ed25519 has randomness, so the same key and bytes give the same signature.
        for key in (self.rsa(), self.ed25519()):
            with open(key, "rb") as file:
                pem = file.read()
            self.assertEqual(sign_with_cryptography(key, pem, CONTENT), sign_with_openssl(key, CONTENT))

    def test_refuses_keys_the_marketplace_could_not_verify(self):
        encrypted = self.key("enc.pem", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:x")
        keys = (
            self.key("ed.pem", "-algorithm", "ED448"),
            encrypted,
            self.write("junk.pem", b"junk"),
            os.path.join(self.folder, "nowhere.pem"),
        )
        for key in keys + (self.key("pss.pem", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),):
            with self.subTest(key), without_cryptography():
                self.refused(key)
            # The cryptography package loads an RSA-PSS key as a plain RSA one.
            if CRYPTOGRAPHY and key in keys:
                with self.subTest(key + " with cryptography"):
                    self.refused(key)

    def refused(self, key):
        with self.assertRaises(AtomError) as raised:
            signature_for(os.path.join(self.folder, "absent.json"), CONTENT, key)
        self.assertEqual(raised.exception.code, "signing_key_unusable")
        self.assertIn(key, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
