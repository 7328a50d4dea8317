from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from typing import Any, Dict, Optional, Tuple

from ._error import AtomError

# Object identifiers as they stand in a DER SubjectPublicKeyInfo: rsaEncryption, id-ecPublicKey and id-Ed25519.
RSA_OID = bytes.fromhex("06092a864886f70d010101")
EC_OID = bytes.fromhex("06072a8648ce3d0201")
ED25519_OID = bytes.fromhex("06032b6570")
OPENSSL_TIMEOUT = 30


def signature_for(path: str, content: bytes, key_path: Optional[str]) -> Dict[str, Any]:
    """The signature over `content`, the bytes of `path`, as fields of an upload.

    `<path>.sigstore.json`, else `<path>.sig`, else made with the PEM key at `key_path`. Raises AtomError
    `signature_missing`, `bundle_malformed`, `signature_malformed` or `signing_key_unusable`.
    """
    bundle = _read_if_there(path + ".sigstore.json")
    if bundle is not None:
        return {"bundle": _parse_bundle(path + ".sigstore.json", bundle)}
    detached = _read_if_there(path + ".sig")
    if detached is not None:
        return {"signature": _parse_detached(path + ".sig", detached)}
    if key_path:
        return _sign_with(key_path, content)
    raise AtomError(
        "signature_missing",
        "The package is not signed",
        detail=(
            "%s has no signature. Three ways to give one: put a Sigstore bundle at %s.sigstore.json "
            "(cosign sign-blob --bundle), or a detached base64 signature at %s.sig (cosign sign-blob "
            "--output-signature), or name a PEM private key (ECDSA P-256, RSA or Ed25519) in ATOM_SIGNING_KEY" % (path, path, path)
        ),
    )


def _sign_with(key_path: str, content: bytes) -> Dict[str, Any]:
    try:
        with open(key_path, "rb") as file:
            pem = file.read()
    except OSError as cause:
        raise _unusable(key_path, "it cannot be read (%s)" % cause) from cause
    try:
        import cryptography  # noqa: F401
    except ImportError:
        signature, spki = sign_with_openssl(key_path, content)
    else:
        signature, spki = sign_with_cryptography(key_path, pem, content)
    key_id = base64.b64encode(hashlib.sha256(spki).digest()).decode("ascii")
    return {"signature": base64.b64encode(signature).decode("ascii"), "key_id": key_id}


def sign_with_cryptography(key_path: str, pem: bytes, content: bytes) -> Tuple[bytes, bytes]:
    """(signature, DER SPKI) by the `cryptography` package."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except Exception as cause:  # ValueError, TypeError (encrypted) and its own UnsupportedAlgorithm
        raise _unusable(key_path, "it is not a readable, unencrypted PEM private key (%s)" % cause) from cause
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(content, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(content)
    else:
        raise _unusable(key_path, "a key of this type cannot be verified; use ECDSA P-256, RSA or Ed25519")
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return signature, key.public_key().public_bytes(encoding, form)


def sign_with_openssl(key_path: str, content: bytes) -> Tuple[bytes, bytes]:
    """(signature, DER SPKI) by the `openssl` program, for where `cryptography` is not installed."""
    program = shutil.which("openssl")
    if program is None:
        raise _unusable(key_path, "signing needs the Python package cryptography or the openssl program; neither is here")
    spki = _openssl(key_path, [program, "pkey", "-in", key_path, "-pubout", "-outform", "DER", "-passin", "pass:"])
    # The algorithm follows two length headers of at most four bytes each.
    if ED25519_OID in spki[:24]:
        return _sign_ed25519(program, key_path, content), spki
    if RSA_OID not in spki[:24] and EC_OID not in spki[:24]:
        raise _unusable(key_path, "a key of this type cannot be verified; use ECDSA P-256, RSA or Ed25519")
    # An empty -passin, else an encrypted key would wait for a passphrase at the terminal.
    command = [program, "dgst", "-sha256", "-sign", key_path, "-passin", "pass:"]
    return _openssl(key_path, command, content), spki


def _sign_ed25519(program: str, key_path: str, content: bytes) -> bytes:
    # It signs what it reads in one piece and wants to know the size first, which only a file has.
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "content")
        with open(path, "wb") as file:
            file.write(content)
        command = [program, "pkeyutl", "-sign", "-rawin", "-in", path, "-inkey", key_path, "-passin", "pass:"]
        return _openssl(key_path, command)


def _openssl(key_path: str, command: "list[str]", content: bytes = b"") -> bytes:
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=OPENSSL_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise _unusable(key_path, "openssl did not run (%s)" % cause) from cause
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise _unusable(key_path, "openssl refused it (%s)" % lines[0])
    return done.stdout


def _unusable(key_path: str, why: str) -> AtomError:
    detail = "The signing key %s (ATOM_SIGNING_KEY) cannot be used: %s" % (key_path, why)
    return AtomError("signing_key_unusable", "Signing key unusable", detail=detail)


def _parse_bundle(path: str, content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except ValueError as cause:
        detail = "%s is not JSON, so not a Sigstore bundle" % path
        raise AtomError("bundle_malformed", "Bundle malformed", detail=detail) from cause


def _parse_detached(path: str, content: bytes) -> str:
    text = "".join(content.decode("latin-1").split())
    if re.fullmatch(r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text):
        return text
    detail = "%s is not base64 text, which is what cosign sign-blob --output-signature writes" % path
    raise AtomError("signature_malformed", "Signature malformed", detail=detail)


def _read_if_there(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as cause:
        # Going on to the next way would hide that the signature meant for this file could not be read.
        raise AtomError("file_unreadable", "File unreadable", detail="%s cannot be read: %s" % (path, cause)) from cause
