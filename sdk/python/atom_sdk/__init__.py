"""The ATOM Cloud Marketplace from Python: publish packages, report usage, read invoices."""

from ._error import AtomError
from ._invoice import get_invoice
from ._listing import list_marketplace, resolve_wpk
from ._options import CallOptions, Runtime
from ._proof import verify_inclusion
from ._publish import publish_wpk
from ._review import approve, get_verdict, get_workflow, wait_for_status
from ._usage import report_usage
from ._webhook import verify_webhook

__all__ = [
    "AtomError",
    "CallOptions",
    "Runtime",
    "approve",
    "get_invoice",
    "get_verdict",
    "get_workflow",
    "list_marketplace",
    "publish_wpk",
    "report_usage",
    "resolve_wpk",
    "verify_inclusion",
    "verify_webhook",
    "wait_for_status",
]
