import json
import os
import socket
import unittest
from datetime import datetime

from atom_sdk import AtomError, CallOptions, get_verdict
from atom_sdk import _retry
from support import SCRIPTED, heard, play, recording_options

with open(os.path.join(os.path.dirname(__file__), "../../../sdk/retry-cases.json"), encoding="utf-8") as file:
    TABLE = json.load(file)


class Retries(unittest.TestCase):
    maxDiff = None

    def test_has_the_policy_of_the_table(self):
        policy = {"retries": _retry.RETRIES, "base_ms": _retry.BACKOFF_BASE_MS, "cap_ms": _retry.BACKOFF_CAP_MS}
        self.assertEqual(policy, TABLE["policy"])

    def test_every_case_of_the_table(self):
        self.assertGreater(len(TABLE["cases"]), 0)
        for case in TABLE["cases"]:
            with self.subTest(case["name"]):
                self.check(case)

    def check(self, case):
        play(case["steps"])
        given = case.get("options", {})
        limits = {name: given[name + "_ms"] / 1000 for name in ("timeout", "deadline") if name + "_ms" in given}
        if "retries" in given:
            limits["retries"] = given["retries"]
        now = datetime.fromisoformat(TABLE["now"].replace("Z", "+00:00"))
        options, waits = recording_options(TABLE["random"], now, **limits)
        expected = case["expect"]
        answer, error = None, None
        try:
            answer = get_verdict("case", "token", base_url=SCRIPTED, options=options)
        except AtomError as raised:
            error = raised
        self.assertEqual(len(heard()), expected["attempts"])
        self.assertEqual([round(wait * 1000) for wait in waits], expected["waits_ms"])
        if "error" not in expected:
            self.assertIsNone(error)
            self.assertEqual(answer, expected["answer"])
            return
        self.assertIsNotNone(error, "an AtomError")
        fields = {name: getattr(error, name) for name in vars(error)}
        fields["retry_after_ms"] = None if error.retry_after is None else round(error.retry_after * 1000)
        self.assertEqual({name: fields[name] for name in expected["error"]}, expected["error"])
        self.assertEqual(error.attempts, expected["attempts"])

    def test_says_where_it_could_not_connect(self):
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            url = "http://127.0.0.1:%d" % reserved.getsockname()[1]
            with self.assertRaises(AtomError) as raised:
                get_verdict("case", "token", base_url=url, options=CallOptions(retries=0))
        self.assertEqual(raised.exception.code, "connection_failed")
        self.assertIn(url, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
