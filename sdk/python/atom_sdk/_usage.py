from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from ._error import AtomError, invalid_argument
from ._options import CallOptions
from ._request import request

BATCH = 1000

UsageRecord = Mapping[str, Any]


def report_usage(
    records: Union[UsageRecord, Sequence[UsageRecord]],
    api_key: str,
    *,
    base_url: Optional[str] = None,
    options: Optional[CallOptions] = None,
) -> Dict[str, Any]:
    """Report usage in batches of 1000, in order, and merge the answers; returns once all of it is durable.

    A record: `id`, `meter`, `quantity` (decimal text, Decimal or int), `time` (RFC 3339 text or an aware datetime),
    and optionally `package`, `dimensions`, `tenant`. One refused by its content is in `rejected`, not raised. When a
    batch fails, AtomError `partial` says what was accepted; sending everything again under the same ids is safe.
    """
    every: List[UsageRecord] = [records] if isinstance(records, Mapping) else list(records)
    wire = [_to_wire(record) for record in every]
    merged: Dict[str, Any] = {"accepted": 0, "rejected": [], "reports": []}
    try:
        for first in range(0, len(wire), BATCH):
            _send_batch(merged, wire[first : first + BATCH], first, api_key, base_url, options)
    except AtomError as error:
        error.partial = merged
        raise
    if len(merged["reports"]) == 1:
        only = merged["reports"][0]
        return {**merged, "report_id": only["report_id"], "receipt": only["receipt"]}
    return merged


def _send_batch(
    merged: Dict[str, Any],
    batch: List[Dict[str, Any]],
    first: int,
    api_key: str,
    base_url: Optional[str],
    options: Optional[CallOptions],
) -> None:
    body = {"records": batch}
    try:
        answer = request(
            "billing", "POST", "/usage/report", token=api_key, body=body, base_url=base_url, options=options
        )
    except AtomError as error:
        if error.status != 413 or len(batch) == 1:
            raise
    else:
        merged["accepted"] += answer["accepted"]
        merged["rejected"].extend(_in_callers_places(rejected, first) for rejected in answer["rejected"])
        merged["reports"].append(
            {
                "report_id": answer["report_id"],
                "accepted": answer["accepted"],
                "first_index": first,
                "count": len(batch),
                "receipt": answer["receipt"],
            }
        )
        return
    # A thousand records with many dimensions can pass the body limit: halve until they fit.
    half = (len(batch) + 1) // 2
    _send_batch(merged, batch[:half], first, api_key, base_url, options)
    _send_batch(merged, batch[half:], first + half, api_key, base_url, options)


def _to_wire(record: UsageRecord) -> Dict[str, Any]:
    wire = dict(record)
    quantity, time = wire.get("quantity"), wire.get("time")
    if isinstance(quantity, Decimal) and quantity.is_finite():
        wire["quantity"] = format(quantity, "f")
    elif isinstance(quantity, int) and not isinstance(quantity, bool):
        # JSON integers are exact only up to 2**53 - 1.
        wire["quantity"] = str(quantity)
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise invalid_argument("record %r: time has no zone; use an aware datetime" % (wire.get("id"),))
        wire["time"] = time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return wire


def _in_callers_places(rejected: Mapping[str, Any], first: int) -> Dict[str, Any]:
    index = rejected["index"] + first
    moved = {**rejected, "index": index}
    if isinstance(moved.get("pointer"), str):
        moved["pointer"] = re.sub(r"^/records/[0-9]+(?=/|$)", "/records/%d" % index, moved["pointer"])
    return moved
