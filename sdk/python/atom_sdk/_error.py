from __future__ import annotations

from typing import Any, Dict, List, Optional

FIELD_ERRORS_IN_MESSAGE = 5


class AtomError(Exception):
    """Everything that goes wrong in this SDK, with the fields of the service's problem+json.

    `status` is 0 when no answer came (or nothing was sent), `attempts` counts the requests made, `partial` is what
    was durably accepted before a later batch of `report_usage` failed.
    """

    def __init__(
        self,
        code: str,
        title: str,
        *,
        type: str = "about:blank",
        status: int = 0,
        detail: str = "",
        instance: Optional[str] = None,
        request_id: Optional[str] = None,
        errors: Optional[List[Dict[str, str]]] = None,
        attempts: int = 0,
        retry_after: Optional[float] = None,
    ) -> None:
        self.code = code
        self.title = title
        self.type = type
        self.status = status
        self.detail = detail
        self.instance = instance
        self.request_id = request_id
        self.errors: List[Dict[str, str]] = errors or []
        self.attempts = attempts
        self.retry_after = retry_after
        self.partial: Optional[Dict[str, Any]] = None
        super().__init__(self._message())

    def _message(self) -> str:
        context = [self.code]
        if self.status:
            context.append("HTTP %d" % self.status)
        if self.request_id:
            context.append("request %s" % self.request_id)
        if self.attempts > 1:
            context.append("%d attempts" % self.attempts)
        places = [
            "\n  %s: %s" % (error.get("pointer") or "/", error.get("detail") or error.get("code") or "invalid")
            for error in self.errors[:FIELD_ERRORS_IN_MESSAGE]
        ]
        return "%s [%s]%s" % (self.detail or self.title, ", ".join(context), "".join(places))


def invalid_argument(detail: str) -> AtomError:
    """A mistake of the caller found before anything was sent."""
    return AtomError("invalid_argument", "Invalid argument", detail=detail)
