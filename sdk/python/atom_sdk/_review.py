from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from ._error import AtomError, invalid_argument
from ._options import CallOptions, path_segment
from ._request import request

FIRST_POLL = 0.2
SLOWEST_POLL = 2.0
NEVER_LEFT = ("rejected", "yanked")


def get_workflow(
    id: str, token: str, *, base_url: Optional[str] = None, options: Optional[CallOptions] = None
) -> Dict[str, Any]:
    """A package version's metadata, status and reason. Another organisation's unpublished one is AtomError 404."""
    path = "/wpk/" + path_segment("id", id)
    answer: Dict[str, Any] = request("market", "GET", path, token=token, base_url=base_url, options=options)
    return answer


def get_verdict(
    id: str, token: str, *, base_url: Optional[str] = None, options: Optional[CallOptions] = None
) -> Dict[str, Any]:
    """The analyzer's verdict on a package version: risk, and each violation with its place in the document."""
    path = "/wpk/%s/verdict" % path_segment("id", id)
    answer: Dict[str, Any] = request("market", "GET", path, token=token, base_url=base_url, options=options)
    return answer


def approve(
    id: str,
    token: str,
    *,
    justification: str = "approved through the SDK",
    base_url: Optional[str] = None,
    options: Optional[CallOptions] = None,
) -> Dict[str, Any]:
    """Approve a package version in review (role reviewer); the justification is recorded, so say why.

    The status stays `in_review` where a second person has to approve too (a critical finding).
    Raises AtomError 409 when it was decided or is claimed by another, 403 for a package of one's own organisation.
    """
    path = "/wpk/review/" + path_segment("id", id)
    if not justification.strip():
        raise invalid_argument("An approval needs a justification")
    body = {"decision": "approve", "justification": justification}
    try:
        answer: Dict[str, Any] = request(
            "market", "POST", path, token=token, body=body, base_url=base_url, options=options
        )
        return answer
    except AtomError as error:
        # After a lost answer the retry meets our own decision as a 409: what is in force says whether it was made.
        if error.status != 409 or error.attempts < 2:
            raise
        status = get_workflow(id, token, base_url=base_url, options=options)["status"]
        if status not in ("approved", "published"):
            raise
        return {"id": id, "status": status}


def wait_for_status(
    id: str,
    token: str,
    statuses: Sequence[str],
    *,
    timeout: float = 60.0,
    base_url: Optional[str] = None,
    options: Optional[CallOptions] = None,
) -> Dict[str, Any]:
    """Poll until the package version has one of `statuses` and give its metadata.

    Raises AtomError `wait_timeout` after `timeout` seconds, `status_final` as soon as it can no longer get there.
    """
    if isinstance(statuses, str):
        raise invalid_argument("statuses is a list of statuses, not one text")
    options = options or CallOptions()
    runtime = options.runtime
    ends_at = runtime.elapsed() + timeout
    poll = FIRST_POLL
    while True:
        left = max(0.001, ends_at - runtime.elapsed())
        once = CallOptions(retries=options.retries, timeout=options.timeout, deadline=left, runtime=runtime)
        workflow = get_workflow(id, token, base_url=base_url, options=once)
        if workflow["status"] in statuses:
            return workflow
        if workflow["status"] in NEVER_LEFT:
            raise _stopped("status_final", workflow, statuses, "and stays so")
        if runtime.elapsed() + poll >= ends_at:
            raise _stopped("wait_timeout", workflow, statuses, "after %g s" % timeout)
        runtime.sleep(poll)
        poll = min(SLOWEST_POLL, poll * 2)


def _stopped(code: str, workflow: Dict[str, Any], statuses: Sequence[str], how: str) -> AtomError:
    reason = " (%s)" % workflow["reason"] if workflow.get("reason") else ""
    detail = "%s is %s%s %s; waited for %s" % (workflow["id"], workflow["status"], reason, how, " or ".join(statuses))
    return AtomError(code, "The awaited status was not reached", detail=detail)
