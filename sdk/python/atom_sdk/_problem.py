from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from ._error import AtomError

BODY_IN_DETAIL = 200


def problem_error(status: int, body: bytes, attempts: int, retry_after: Optional[float]) -> AtomError:
    """The AtomError for an answer that is not 2xx.

    Proxies answer with HTML or nothing at all: whatever is not a problem document still becomes an error with its
    status and the start of the body.
    """
    text = body.decode("utf-8", "replace")
    problem = _object(text)
    detail = text.strip()[:BODY_IN_DETAIL] if problem is None else _text(problem, "detail")
    fields = problem or {}
    return AtomError(
        _text(fields, "code") or "http_%d" % status,
        _text(fields, "title") or "The service answered %d" % status,
        type=_text(fields, "type") or "about:blank",
        status=status,
        detail=detail or "",
        instance=_text(fields, "instance"),
        request_id=_text(fields, "request_id"),
        errors=_field_errors(fields.get("errors")),
        attempts=attempts,
        retry_after=retry_after,
    )


def _object(text: str) -> Optional[Dict[str, Any]]:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _text(fields: Dict[str, Any], name: str) -> Optional[str]:
    value = fields.get(name)
    return value if isinstance(value, str) else None


def _field_errors(value: Any) -> List[Dict[str, str]]:
    if not isinstance(value, list):
        return []
    names = ("pointer", "code", "detail")
    return [
        {name: entry[name] for name in names if isinstance(entry.get(name), str)}
        for entry in value
        if isinstance(entry, dict)
    ]
