from __future__ import annotations

import base64
import os
from typing import Any, Dict, Optional, Union

from ._error import AtomError
from ._options import CallOptions
from ._request import request
from ._signing import signature_for

MEDIA_TYPES = {".json": "application/json", ".yaml": "application/yaml", ".yml": "application/yaml"}
UPLOAD_TIMEOUT = 120.0
UPLOAD_DEADLINE = 600.0


def publish_wpk(
    path: "Union[str, os.PathLike[str]]",
    api_key: str,
    *,
    signing_key: Optional[str] = None,
    base_url: Optional[str] = None,
    options: Optional[CallOptions] = None,
) -> Dict[str, Any]:
    """Upload the package at `path` with its signature; give the answer (`id`, `status`, `digest`, ...).

    The signature is `<path>.sigstore.json`, else `<path>.sig`, else made with the PEM key `signing_key` or
    ATOM_SIGNING_KEY. Publishing the same bytes again gives the same id. Raises AtomError, e.g. `signature_invalid`,
    `wpk_malformed`, `version_exists`.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            content = file.read()
    except OSError as cause:
        raise AtomError("file_unreadable", "File unreadable", detail="%s cannot be read: %s" % (name, cause)) from cause
    # base64, because a JSON string cannot carry every byte and the signature is over the bytes.
    body: Dict[str, Any] = {"content": base64.b64encode(content).decode("ascii"), "content_encoding": "base64"}
    media_type = MEDIA_TYPES.get(os.path.splitext(name)[1].lower())
    if media_type:
        body["media_type"] = media_type
    body.update(signature_for(name, content, signing_key or os.environ.get("ATOM_SIGNING_KEY")))
    answer: Dict[str, Any] = request(
        "market",
        "POST",
        "/wpk/upload",
        token=api_key,
        body=body,
        base_url=base_url,
        options=options,
        timeout=UPLOAD_TIMEOUT,
        deadline=UPLOAD_DEADLINE,
    )
    return answer
