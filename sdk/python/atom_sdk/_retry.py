from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Optional

RETRIES = 2
BACKOFF_BASE_MS = 500
BACKOFF_CAP_MS = 8000


def is_retriable_status(status: int) -> bool:
    """Whether an answer with this status may turn out otherwise when asked again."""
    return status in (408, 429) or status >= 500


def wait_seconds(attempt: int, random: float, retry_after: Optional[float]) -> float:
    """Seconds to wait before the attempt after `attempt` (1, 2, ...): full jitter, `random` in [0, 1).

    `Retry-After` is a floor: the jitter comes on top, so that clients told the same second do not return as one.
    """
    ceiling = min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** (attempt - 1))
    return (retry_after or 0.0) + int(random * ceiling) / 1000


def retry_after_seconds(header: Optional[str], now: datetime) -> Optional[float]:
    """Seconds that a `Retry-After` header (seconds or an HTTP date) asks for; None when absent or unreadable."""
    value = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    if not value.endswith("GMT"):
        return None
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    return max(0.0, (at - now).total_seconds())
