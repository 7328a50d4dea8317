from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Callable, Optional
from urllib.parse import quote, urlsplit

from ._error import invalid_argument
from ._retry import RETRIES

SERVICES = {
    "market": ("MARKET_API", "http://127.0.0.1:8050"),
    "billing": ("ATOM_BILLING_API", "http://127.0.0.1:8060"),
}


@dataclass(frozen=True)
class Runtime:
    """What a call needs from the outside; tests give their own. `elapsed` is monotonic seconds."""

    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    elapsed: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random


@dataclass(frozen=True)
class CallOptions:
    """Per call, in seconds: `timeout` for one attempt (30; 120 for an upload), `deadline` for all attempts and the
    waits between them (90; 600 for an upload). `retries` are the attempts after the first."""

    retries: int = RETRIES
    timeout: Optional[float] = None
    deadline: Optional[float] = None
    runtime: Runtime = field(default_factory=Runtime)


def base_url_of(service: str, base_url: Optional[str]) -> str:
    """Base URL of a service without a trailing slash; raises AtomError `invalid_argument` on anything but http(s)."""
    env, fallback = SERVICES[service]
    base = base_url or os.environ.get(env) or fallback
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # urllib would also open file: and ftp: URLs.
        raise invalid_argument("The base URL %r (%s) is not an http or https URL" % (base, env))
    return base.rstrip("/")


def path_segment(name: str, value: str) -> str:
    """An id as one path segment; "." and ".." would be folded away on the way and reach another call."""
    if not value or value in (".", ".."):
        raise invalid_argument("%s %r is not an id" % (name, value))
    return quote(value, safe="")
