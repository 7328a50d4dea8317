from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.error
import urllib.request
from typing import Any, Dict, Mapping, Optional, Tuple
from urllib.parse import urlencode, urlsplit

from ._error import AtomError, invalid_argument
from ._options import CallOptions, Runtime, base_url_of
from ._problem import problem_error
from ._retry import is_retriable_status, retry_after_seconds, wait_seconds

TIMEOUT = 30.0
DEADLINE = 90.0
CHUNK = 64 * 1024
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def request(
    service: str,
    method: str,
    path: str,
    *,
    token: Optional[str] = None,
    query: Optional[Mapping[str, Any]] = None,
    body: Any = None,
    base_url: Optional[str] = None,
    options: Optional[CallOptions] = None,
    timeout: float = TIMEOUT,
    deadline: float = DEADLINE,
) -> Any:
    """One call with its retries; gives the parsed JSON of a 2xx answer, raises AtomError otherwise.

    Every call of this SDK may be repeated: an upload is known by its bytes, usage by its ids, a decision by its
    package. `timeout` and `deadline` are the call's own defaults, in seconds.
    """
    options = options or CallOptions()
    runtime = options.runtime
    given = {name: value for name, value in (query or {}).items() if value is not None}
    url = base_url_of(service, base_url) + path + ("?" + urlencode(given) if given else "")
    limit = timeout if options.timeout is None else options.timeout
    ends_at = runtime.elapsed() + (deadline if options.deadline is None else options.deadline)
    attempts = 0
    while True:
        attempts += 1
        left = max(0.001, ends_at - runtime.elapsed())
        # A new one each time: urllib's proxy handling changes the request it was given.
        prepared = _prepare(url, method, token, body)
        answer, error, retriable = _attempt(prepared, attempts, min(limit, left), runtime)
        if error is None:
            return answer
        if not retriable or attempts > options.retries:
            raise error
        wait = wait_seconds(attempts, runtime.random(), error.retry_after)
        if runtime.elapsed() + wait >= ends_at:
            raise error
        runtime.sleep(wait)


def _attempt(
    prepared: urllib.request.Request, attempts: int, timeout: float, runtime: Runtime
) -> Tuple[Any, Optional[AtomError], bool]:
    url = prepared.full_url
    try:
        status, headers, body = _exchange(prepared, timeout, runtime)
    except (OSError, http.client.HTTPException) as cause:
        return None, _unanswered(url, attempts, timeout, cause), True
    if not 200 <= status < 300:
        after = retry_after_seconds(headers.get("Retry-After"), runtime.now())
        return None, problem_error(status, body, attempts, after), is_retriable_status(status)
    try:
        return json.loads(body), None, False
    except ValueError as cause:
        detail = "%s answered %d with something that is not JSON" % (url, status)
        error = AtomError("unexpected_answer", "Unexpected answer", status=status, detail=detail, attempts=attempts)
        error.__cause__ = cause
        return None, error, False


def _exchange(
    prepared: urllib.request.Request, timeout: float, runtime: Runtime
) -> Tuple[int, Mapping[str, str], bytes]:
    ends_at = runtime.elapsed() + timeout
    with _opener(prepared.full_url).open(prepared, timeout=timeout) as response:
        chunks = []
        expected, received = response.length, 0
        while expected is None or received < expected:
            # The socket's timeout starts anew with each read: without this a trickle would outlive any limit.
            if runtime.elapsed() > ends_at:
                raise socket.timeout("timed out")
            chunk = response.read1(CHUNK)
            if not chunk:
                break
            chunks.append(chunk)
            received += len(chunk)
        # Reading in pieces does not notice a connection that closes early; half an answer is none.
        if expected is not None and received < expected:
            raise http.client.IncompleteRead(b"".join(chunks), expected - received)
        return response.status, response.headers, b"".join(chunks)


def _opener(url: str) -> urllib.request.OpenerDirector:
    # Built by hand because the default one follows redirects and takes the Authorization header along to whatever
    # host is named there. No service redirects. Proxies never reach this machine's own loopback.
    opener = urllib.request.OpenerDirector()
    proxies: Optional[Dict[str, str]] = {} if urlsplit(url).hostname in LOOPBACK else None
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _unanswered(url: str, attempts: int, timeout: float, cause: Exception) -> AtomError:
    reason = cause.reason if isinstance(cause, urllib.error.URLError) else cause
    if isinstance(reason, (socket.timeout, TimeoutError)):
        detail = "%s did not answer within %d ms" % (url, timeout * 1000)
        error = AtomError("timeout", "No answer in time", detail=detail, attempts=attempts)
    else:
        detail = "%s could not be reached: %s" % (url, reason or type(reason).__name__)
        error = AtomError("connection_failed", "No connection", detail=detail, attempts=attempts)
    error.__cause__ = cause
    return error


def _prepare(url: str, method: str, token: Optional[str], body: Any) -> urllib.request.Request:
    headers = {"Accept": "application/json, application/problem+json", "User-Agent": "atom-sdk-python"}
    if token is not None:
        # An empty token would be sent as no credential at all and be answered as the demo's visitor.
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise invalid_argument("The token is empty or holds characters no token has")
        headers["Authorization"] = "Bearer " + token
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        try:
            data = json.dumps(body, allow_nan=False).encode("utf-8")
        except (TypeError, ValueError) as cause:
            raise invalid_argument("The request cannot be written as JSON: %s" % cause) from cause
    return urllib.request.Request(url, data=data, headers=headers, method=method)
