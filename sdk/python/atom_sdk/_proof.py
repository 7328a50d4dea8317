from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Dict, Mapping, Optional, Sequence

from ._error import AtomError, invalid_argument
from ._merkle import leaf_hash, root_of_path

CONTRIBUTION = ("report_id", "hour", "meter", "package", "version", "dimensions", "quantity", "records", "root")
KNOWN = ("version", "record", "leaf")


def verify_inclusion(
    proof: Mapping[str, Any],
    *,
    receipt: Optional[Mapping[str, Any]] = None,
    invoice: Optional[bytes] = None,
    record: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """Check offline what `GET /usage/receipts/{id}/proof` answered, and say what it shows.

    That is: a record is in what a line of an invoice billed, or under the root of its report. `receipt` is what the
    report was answered with (`report_id`, `root`, `count`), needed while no invoice has billed the record; `invoice`
    the bytes of the invoice as you have them; `record` what you sent. Raises AtomError `proof_invalid` when any part
    does not hold.
    """
    up_to = ("report",) if isinstance(proof, dict) and "report" in proof else ("place", "path", "contribution", "invoice")
    _members(proof, "", KNOWN + up_to)
    if proof["version"] != 1 or type(proof["version"]) is not int:
        raise _invalid("/version", "is not 1")
    kept = _object(proof["record"], "/record")
    leaf = leaf_hash(_text(kept))
    if proof["leaf"] != leaf.hex():
        raise _invalid("/leaf", "is not the hash of the record")
    if record is not None:
        _same_record(record, kept)
    if "report" in proof:
        return _under_report(leaf, proof["report"], receipt)
    return _under_invoice(leaf, kept, proof, receipt, invoice)


def _under_report(leaf: bytes, report: Any, receipt: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    _members(report, "/report", ("report_id", "root", "count", "place", "path"))
    if receipt is None:
        # A root alone does not say how many leaves are under it.
        raise invalid_argument("a proof up to a report is checked against the receipt of that report")
    for name in ("report_id", "root", "count"):
        if report[name] != receipt[name]:
            raise _invalid("/report/" + name, "is not that of the receipt")
    _comes_to(receipt["root"], leaf, report, receipt["count"], "/report")
    return {"by": "report", "report_id": receipt["report_id"], "root": receipt["root"]}


def _under_invoice(
    leaf: bytes,
    record: Mapping[str, Any],
    proof: Mapping[str, Any],
    receipt: Optional[Mapping[str, Any]],
    own_bytes: Optional[bytes],
) -> Dict[str, Any]:
    used = _members(proof["contribution"], "/contribution", CONTRIBUTION)
    if receipt is not None and receipt["report_id"] != used["report_id"]:
        raise _invalid("/contribution/report_id", "is not the receipt's")
    _comes_to(used["root"], leaf, proof, used["records"], "")
    package, _, version = str(record.get("package", "")).partition("@")
    where = (str(record.get("time"))[:13] + ":00:00Z", record.get("meter"), package, version)
    if where != (used["hour"], used["meter"], used["package"], used["version"]):
        raise _invalid("/contribution", "is of another hour, meter, package or version than the record")
    dimensions = _object(used["dimensions"], "/contribution/dimensions")
    text = _text({**{name: used[name] for name in CONTRIBUTION}, "dimensions": dict(sorted(dimensions.items()))})
    invoice = _members(proof["invoice"], "/invoice", ("number", "sha256", "line_id", "place", "path", "body"))
    body = invoice["body"].encode() if isinstance(invoice["body"], str) else b""
    if hashlib.sha256(body).hexdigest() != invoice["sha256"]:
        raise _invalid("/invoice/sha256", "is not the SHA-256 of the invoice")
    if own_bytes is not None and hashlib.sha256(own_bytes).hexdigest() != invoice["sha256"]:
        raise _invalid("/invoice/sha256", "is not that of your invoice")
    issued = _invoice_in(body)
    if invoice["number"] != issued["number"]:
        raise _invalid("/invoice/number", "is not that of the invoice")
    line = next((one for one in issued["lines"] if one["id"] == invoice["line_id"]), None)
    if line is None:
        raise _invalid("/invoice/line_id", "is of no line of the invoice")
    if line.get("meter") != used["meter"] or line["period"] != used["hour"][:7]:
        raise _invalid("/invoice/line_id", "is of a line for another meter or month")
    _comes_to(line.get("usage_root"), leaf_hash(text), invoice, line.get("usage_reports"), "/invoice")
    return {
        "by": "invoice",
        "number": issued["number"],
        "sha256": invoice["sha256"],
        "tenant": issued["tenant"],
        "line_id": line["id"],
        "description": line["description"],
        "amount": line["amount"],
        "report_id": used["report_id"],
        "hour": used["hour"],
        "quantity": used["quantity"],
    }


def _invoice_in(body: bytes) -> Dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if isinstance(found, dict) and "number" in found and "tenant" in found and isinstance(found.get("lines"), list):
        return found
    raise _invalid("/invoice/body", "is no issued invoice")


def _comes_to(root: Any, leaf: bytes, placed: Mapping[str, Any], size: Any, at: str) -> None:
    path = placed["path"]
    if not isinstance(path, list) or not all(isinstance(one, str) and re.fullmatch("[0-9a-f]{64}", one) for one in path):
        raise _invalid(at + "/path", "is no list of hashes")
    found = root_of_path(leaf, placed["place"], size, [bytes.fromhex(one) for one in path])
    if found is None or found.hex() != root:
        raise _invalid(at + "/path", "does not lead to the root")


def _members(value: Any, at: str, names: Sequence[str]) -> Dict[str, Any]:
    """The value as an object with these members and no others: what is not checked must not be in a proof."""
    found = _object(value, at)
    for name in names:
        if name not in found:
            raise _invalid("%s/%s" % (at, name), "is missing")
    for name in found:
        if name not in names:
            raise _invalid("%s/%s" % (at, name), "is not a member of a proof")
    return found


def _object(value: Any, at: str) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(at, "is not an object")
    return value


def _text(value: Mapping[str, Any]) -> bytes:
    # As JSON.stringify writes it; a lone surrogate, which no record has, must not end in another error.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _same_record(sent: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    quantity = Decimal(str(sent["quantity"])) * (-1 if sent.get("operation") == "remove" else 1)
    same = {
        "id": sent["id"] == record.get("id"),
        "meter": sent["meter"] == record.get("meter"),
        "quantity": quantity == Decimal(str(record.get("quantity"))),
        "time": _moment(sent["time"]) == _moment(record.get("time")),
        "package": sent.get("package") in (None, record.get("package")),
        "dimensions": sent.get("dimensions", {}) == record.get("dimensions", {}),
    }
    for name, is_same in same.items():
        if not is_same:
            raise _invalid("/record/" + name, "is not that of your record")


def _moment(time: Any) -> datetime:
    if isinstance(time, datetime):
        return time.astimezone(timezone.utc)
    # Python 3.9 reads neither Z nor fractions of any length; the service keeps milliseconds.
    parts = re.fullmatch(r"([^.]*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", str(time))
    if parts is None:
        raise invalid_argument("a time is RFC 3339, such as 2026-11-02T10:00:00Z")
    fraction = ((parts[2] or "") + "000")[:3]
    zone = "+00:00" if parts[3] == "Z" else parts[3]
    return datetime.fromisoformat("%s.%s%s" % (parts[1], fraction, zone)).astimezone(timezone.utc)


def _invalid(pointer: str, detail: str) -> AtomError:
    return AtomError(
        "proof_invalid",
        "The proof does not hold",
        detail="%s %s" % (pointer or "the proof", detail),
        errors=[{"pointer": pointer, "detail": detail}],
    )
