import json
import time
import unittest
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from atom_sdk import AtomError, get_invoice, report_usage
from support import SCRIPTED, TARGET, heard, play, recording_options

VISIBLE_WITHIN = 15.0
POLL = 0.1


def record(meter="m", package=None, **fields):
    made = {"id": "sdk-%s" % uuid.uuid4(), "meter": meter, "quantity": 1, "time": datetime.now(timezone.utc), **fields}
    return made if package is None else {**made, "package": package}


def accepted(report_id, count):
    receipt = {"root": report_id, "count": count}
    return {"status": 202, "json": {"report_id": report_id, "accepted": count, "rejected": [], "receipt": receipt}}


def sent():
    return [json.loads(request["body"])["records"] for request in heard()]


class Usage(unittest.TestCase):
    def invoice(self, **options):
        return get_invoice(TARGET["tenant"], TARGET["tenantToken"], base_url=TARGET["billingApi"], **options)

    def metered_line(self):
        return next(line for line in self.invoice()["lines"] if line.get("meter") and "quantity" in line)

    def test_counts_each_record_once_on_the_live_invoice(self):
        at = {"base_url": TARGET["billingApi"]}
        line = self.metered_line()
        records = [record(line["meter"], line.get("package")) for _ in range(3)]
        first = report_usage(records, TARGET["apiKey"], **at)
        self.assertEqual((first["accepted"], first["rejected"], first["receipt"]["count"]), (3, [], 3))
        self.assertEqual(first["report_id"], first["reports"][0]["report_id"])
        self.assertEqual(report_usage(records, TARGET["apiKey"], **at)["accepted"], 3, "accepted includes repeats")
        # A later record of its own shows that everything before it has been metered.
        report_usage(record(line["meter"], line.get("package")), TARGET["apiKey"], **at)
        expected = Decimal(line["quantity"]) + 4
        until = time.monotonic() + VISIBLE_WITHIN
        seen = Decimal(self.metered_line()["quantity"])
        while seen < expected and time.monotonic() < until:
            time.sleep(POLL)
            seen = Decimal(self.metered_line()["quantity"])
        self.assertEqual(seen, expected)

    def test_reads_a_past_period_and_no_other_organisations_invoice(self):
        past = (datetime.now(timezone.utc).replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
        self.assertEqual(self.invoice(period=past)["status"], "issued")
        with self.assertRaises(AtomError) as raised:
            get_invoice(TARGET["tenant"], TARGET["otherApiKey"], base_url=TARGET["billingApi"])
        self.assertEqual(raised.exception.status, 404)

    def test_gives_refused_records_at_their_place_the_rest_accepted(self):
        line = self.metered_line()
        records = [record(line["meter"], line.get("package"), quantity="0") for _ in range(1002)]
        records[1]["quantity"] = "1e3"
        records[1001]["time"] = "2001-01-01T00:00:00Z"
        answer = report_usage(records, TARGET["apiKey"], base_url=TARGET["billingApi"])
        self.assertEqual(answer["accepted"], 1000)
        self.assertEqual([refused["index"] for refused in answer["rejected"]], [1, 1001])
        self.assertEqual(answer["rejected"][1]["code"], "too_old")
        self.assertEqual([(made["first_index"], made["count"]) for made in answer["reports"]], [(0, 1000), (1000, 2)])
        self.assertNotIn("report_id", answer)

    def test_resends_the_same_bytes_on_a_retry(self):
        play([{"drop": "before_answer"}, accepted("r", 2)])
        report_usage([record(), record()], "key", base_url=SCRIPTED, options=recording_options()[0])
        first, second = heard()
        self.assertEqual(first["body"], second["body"])

    def test_sends_decimals_integers_and_datetimes_as_exact_text(self):
        play([accepted("r", 3)])
        at = datetime(2025, 3, 1, 1, tzinfo=timezone(timedelta(hours=1)))
        report_usage(
            [record(quantity=Decimal("1E+3"), time=at), record(quantity=2**70), record(quantity="0.10")],
            "key",
            base_url=SCRIPTED,
        )
        quantities = [found["quantity"] for found in sent()[0]]
        self.assertEqual(quantities, ["1000", "1180591620717411303424", "0.10"])
        self.assertEqual(sent()[0][0]["time"], "2025-03-01T00:00:00Z")

    def test_refuses_what_has_no_exact_form_before_sending_anything(self):
        play([])
        for wrong in (record(time=datetime(2025, 3, 1)), record(quantity=float("nan")), record(quantity=object())):
            with self.assertRaises(AtomError) as raised:
                report_usage(wrong, "key", base_url=SCRIPTED)
            self.assertEqual(raised.exception.code, "invalid_argument")
        self.assertEqual(heard(), [])

    def test_moves_the_places_of_a_later_batchs_refusals(self):
        refusal = {"index": 0, "code": "too_old", "pointer": "/records/0/time", "detail": "too old"}
        second = accepted("s", 0)
        second["json"]["rejected"] = [refusal]
        play([accepted("f", 1000), second])
        answer = report_usage([record() for _ in range(1001)], "key", base_url=SCRIPTED)
        self.assertEqual(answer["rejected"], [{**refusal, "index": 1000, "pointer": "/records/1000/time"}])

    def test_halves_a_batch_that_is_too_large_keeping_every_record(self):
        play([{"status": 413}, accepted("a", 2), {"status": 413}, accepted("b", 1), accepted("c", 1)])
        answer = report_usage([record() for _ in range(4)], "key", base_url=SCRIPTED)
        self.assertEqual(answer["accepted"], 4)
        self.assertEqual([len(records) for records in sent()], [4, 2, 2, 1, 1])
        self.assertEqual([made["first_index"] for made in answer["reports"]], [0, 2, 3])

    def test_says_what_was_accepted_before_a_batch_failed(self):
        play([accepted("f", 1000), {"status": 403, "json": {"code": "role_missing"}}])
        with self.assertRaises(AtomError) as raised:
            report_usage([record() for _ in range(1500)], "key", base_url=SCRIPTED)
        self.assertEqual(raised.exception.partial["accepted"], 1000)

    def test_sends_nothing_for_no_records(self):
        play([])
        self.assertEqual(report_usage([], "key", base_url=SCRIPTED), {"accepted": 0, "rejected": [], "reports": []})
        self.assertEqual(heard(), [])


if __name__ == "__main__":
    unittest.main()
