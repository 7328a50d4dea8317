import json
import os
import unittest

from atom_sdk import AtomError, verify_webhook

with open(os.path.join(os.path.dirname(__file__), "../webhook-vectors.json"), encoding="utf-8") as file:
    CASES = json.load(file)


class Webhooks(unittest.TestCase):
    def test_takes_and_refuses_what_the_other_sdk_does(self):
        self.assertGreater(len(CASES), 20)
        for case in CASES:
            for body in (case["body"], case["body"].encode("utf-8")):
                with self.subTest(case["name"]):
                    if "refused" in case:
                        with self.assertRaises(AtomError) as caught:
                            verify_webhook(body, case["headers"], case["secrets"], now=case["now"])
                        self.assertEqual(caught.exception.code, case["refused"])
                    else:
                        event = verify_webhook(body, case["headers"], case["secrets"], now=case["now"])
                        self.assertEqual(event, case["event"])

    def test_refuses_a_body_that_was_parsed(self):
        case = CASES[0]
        with self.assertRaisesRegex(AtomError, "raw bytes"):
            verify_webhook(json.loads(case["body"]), case["headers"], case["secrets"][0], now=case["now"])


if __name__ == "__main__":
    unittest.main()
