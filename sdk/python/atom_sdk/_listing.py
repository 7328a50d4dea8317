from __future__ import annotations

from typing import Any, Dict, Iterator, Optional

from ._error import AtomError
from ._options import CallOptions
from ._request import request


def list_marketplace(
    q: Optional[str] = None,
    *,
    status: Optional[str] = None,
    tag: Optional[str] = None,
    publisher: Optional[str] = None,
    limit: Optional[int] = None,
    token: Optional[str] = None,
    base_url: Optional[str] = None,
    options: Optional[CallOptions] = None,
) -> Iterator[Dict[str, Any]]:
    """The marketplace's packages, fetched page by page as they are read.

    `limit` is the page size (at most 500), not how many are listed. With `token` the organisation's own unpublished
    packages are listed too.
    """
    query = {"q": q, "status": status, "tag": tag, "publisher": publisher, "limit": limit}
    cursor: Optional[str] = None
    while True:
        page = request(
            "market",
            "GET",
            "/wpk/list",
            query={**query, "cursor": cursor},
            token=token,
            base_url=base_url,
            options=options,
        )
        yield from page["wpks"]
        following = page.get("next")
        if not following:
            return
        if following == cursor:
            detail = "The service gave the same page cursor twice; stopping rather than listing forever"
            raise AtomError("cursor_loop", "Listing does not end", detail=detail)
        cursor = following


def resolve_wpk(
    name: str,
    range: str = "*",
    *,
    token: Optional[str] = None,
    base_url: Optional[str] = None,
    options: Optional[CallOptions] = None,
) -> Dict[str, Any]:
    """The best published version of a package for a range ("^1.2.0"; without one, any release).

    Raises AtomError 404 `no_version_fits` when there is none, and `not_found` when the caller sees no package of this
    name.
    """
    query = {"name": name, "range": range}
    answer: Dict[str, Any] = request(
        "market", "GET", "/wpk/resolve", query=query, token=token, base_url=base_url, options=options
    )
    return answer
