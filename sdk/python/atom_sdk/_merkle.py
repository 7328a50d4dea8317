from __future__ import annotations

import hashlib
from typing import Optional, Sequence


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf: RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root_of_path(leaf: bytes, place: object, size: object, path: Sequence[bytes]) -> Optional[bytes]:
    """The root that a leaf's path leads to in a tree of `size` leaves, or None: RFC 9162 section 2.1.3.2."""
    if type(place) is not int or type(size) is not int or not 0 <= place < size:
        return None
    at, last, root = place, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            root = _node(sibling, root)
            # A node without a sibling went up as it was.
            while not at & 1 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            root = _node(root, sibling)
        at, last = at >> 1, last >> 1
    return root if last == 0 else None


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
