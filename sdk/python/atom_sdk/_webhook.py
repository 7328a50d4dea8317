from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from ._error import AtomError, invalid_argument

TOLERANCE = 300
SHORTEST_SECRET = 24


def verify_webhook(
    body: Union[bytes, str],
    headers: Mapping[str, str],
    secret: Union[str, Sequence[str]],
    *,
    tolerance: float = TOLERANCE,
    now: Optional[float] = None,
) -> Dict[str, Any]:
    """Check that a call of a webhook is from the marketplace and new, and return its event.

    `body` is what came over the wire, before anything parsed it; while a secret is rotated give both. `tolerance` is
    how many seconds `webhook-timestamp` may be from now, either way. Raises AtomError `webhook_invalid`. The same event
    may come twice: `webhook-id`, which is the event's `id`, tells.
    """
    if not isinstance(body, (bytes, str)):
        raise invalid_argument("`body` has to be the raw bytes or text of the request: what was parsed cannot be verified")
    raw = body if isinstance(body, bytes) else body.encode("utf-8")
    keys = [_key(one) for one in ([secret] if isinstance(secret, str) else secret)]
    found = {str(name).lower(): value for name, value in headers.items()}
    message, timestamp, signatures = (_header(found, name) for name in ("id", "timestamp", "signature"))
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise _invalid("`webhook-timestamp` is not a time")
    if not abs((time.time() if now is None else now) - int(timestamp)) <= tolerance:
        raise _invalid("it was signed more than %g s from now: it is a repeat, or a clock is wrong" % tolerance)
    signed = ("%s.%s." % (message, timestamp)).encode("utf-8") + raw
    expected = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()) for key in keys]
    # Every signature with every secret, so that the time taken says nothing of which one was right.
    matches = False
    for signature in signatures.split(" "):
        version, _, text = signature.partition(",")
        for one in expected:
            if version == "v1" and hmac.compare_digest(text.encode("utf-8"), one):
                matches = True
    if not matches:
        raise _invalid("no signature matches: another secret, or a body that was changed or parsed on the way")
    try:
        event: Dict[str, Any] = json.loads(raw.decode("utf-8"))
        return event
    except ValueError:
        raise _invalid("the body is not JSON") from None


def _key(secret: str) -> bytes:
    text = secret[len("whsec_") :] if secret.startswith("whsec_") else secret
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) < SHORTEST_SECRET:
        raise invalid_argument("a secret of a webhook is `whsec_` and base64 of at least 24 bytes")
    return key


def _header(headers: Mapping[str, str], name: str) -> str:
    found = headers.get("webhook-" + name)
    if not isinstance(found, str) or not found:
        raise _invalid("header `webhook-%s` is missing" % name)
    return found


def _invalid(detail: str) -> AtomError:
    return AtomError("webhook_invalid", "The call of the webhook does not verify", detail=detail)
