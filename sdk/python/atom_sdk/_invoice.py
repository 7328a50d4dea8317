from __future__ import annotations

from typing import Any, Dict, Optional

from ._options import CallOptions, path_segment
from ._request import request


def get_invoice(
    tenant: str,
    token: str,
    *,
    period: Optional[str] = None,
    base_url: Optional[str] = None,
    options: Optional[CallOptions] = None,
) -> Dict[str, Any]:
    """A tenant's invoice of one month (`YYYY-MM`); without `period` the current month, live (status `gathering`)."""
    path = "/billing/invoice/" + path_segment("tenant", tenant)
    answer: Dict[str, Any] = request(
        "billing", "GET", path, token=token, query={"period": period}, base_url=base_url, options=options
    )
    return answer
