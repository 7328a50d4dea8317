import os
import unittest
from unittest import mock

from atom_sdk import AtomError, CallOptions, get_invoice, get_verdict, get_workflow, resolve_wpk
from atom_sdk._request import _opener
from support import SCRIPTED, heard, play


class Requests(unittest.TestCase):
    def refused(self, *given, **options):
        with self.assertRaises(AtomError) as raised:
            get_workflow(*given, **options)
        self.assertEqual(raised.exception.code, "invalid_argument")

    def test_sends_the_token_and_ids_as_one_path_segment(self):
        play([{"status": 200, "json": {}}])
        get_workflow("a/b?c", "secret", base_url=SCRIPTED + "/")
        self.assertEqual(heard()[0]["path"], "/wpk/a%2Fb%3Fc")
        self.assertEqual(heard()[0]["headers"]["authorization"], "Bearer secret")

    def test_asks_for_the_best_version_in_a_range_as_a_visitor_too(self):
        play([{"status": 200, "json": {"version": "1.2.0"}}])
        self.assertEqual(resolve_wpk("backup", "^1.0.0 || 3", base_url=SCRIPTED), {"version": "1.2.0"})
        self.assertEqual(heard()[0]["path"], "/wpk/resolve?name=backup&range=%5E1.0.0+%7C%7C+3")
        self.assertNotIn("authorization", heard()[0]["headers"])

    def test_refuses_ids_tokens_and_urls_before_sending_anything(self):
        play([])
        for id in ("", ".", ".."):
            self.refused(id, "secret", base_url=SCRIPTED)
        for token in ("", "two words", "line\r\nbreak", "end\n"):
            self.refused("id", token, base_url=SCRIPTED)
        for url in ("ftp://127.0.0.1", "file:///etc/passwd", "127.0.0.1:8050", "http://", "http://host:port"):
            self.refused("id", "secret", base_url=url)
        self.assertEqual(heard(), [])

    def test_takes_base_urls_from_the_environment(self):
        play([{"status": 200, "json": {}}, {"status": 200, "json": {}}])
        names = {"MARKET_API": SCRIPTED + "/market", "ATOM_BILLING_API": SCRIPTED + "/billing-root"}
        with mock.patch.dict(os.environ, names):
            get_verdict("id", "secret")
            get_invoice("demo", "secret", period="2025-02")
        paths = [request["path"] for request in heard()]
        self.assertEqual(paths, ["/market/wpk/id/verdict", "/billing-root/billing/invoice/demo?period=2025-02"])

    def test_limits_the_time_of_an_attempt_even_when_its_answer_keeps_trickling(self):
        play([{"trickle": True}])
        with self.assertRaises(AtomError) as raised:
            get_verdict("id", "secret", base_url=SCRIPTED, options=CallOptions(timeout=0.2, retries=0))
        self.assertEqual(raised.exception.code, "timeout")

    def test_reaches_loopback_past_a_proxy(self):
        play([{"status": 200, "json": {"risk_score": 0}}])
        # A port where nothing can listen: going through it would fail.
        with mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}):
            self.assertEqual(get_verdict("id", "secret", base_url=SCRIPTED), {"risk_score": 0})

    def test_uses_the_proxy_for_other_hosts(self):
        with mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}):
            handlers = [type(handler).__name__ for handler in _opener("http://market.example").handlers]
        self.assertIn("ProxyHandler", handlers)
        self.assertNotIn("HTTPRedirectHandler", handlers)

    def test_puts_code_status_request_id_and_places_into_the_message(self):
        error = AtomError(
            "wpk_malformed",
            "Package malformed",
            status=400,
            request_id="r-9",
            errors=[{"pointer": "/metadata/name", "code": "schema_pattern", "detail": "must be lower case"}],
        )
        expected = "Package malformed [wpk_malformed, HTTP 400, request r-9]\n  /metadata/name: must be lower case"
        self.assertEqual(str(error), expected)


if __name__ == "__main__":
    unittest.main()
