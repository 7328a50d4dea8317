import base64
import hashlib
import json
import os
import pathlib
import subprocess
import unittest
import uuid
from unittest import mock

from atom_sdk import AtomError, approve, get_verdict, get_workflow, list_marketplace, publish_wpk, wait_for_status
from support import SCRIPTED, TARGET, WithFolder, heard, package_named, play, recording_options


def fresh_name():
    return "sdk-%s" % uuid.uuid4()


class Packages(WithFolder):
    def publish(self, name, **options):
        file = self.write(name + ".json", package_named(name))
        given = {"signing_key": TARGET["privateKeyPath"], "base_url": TARGET["marketApi"], **options}
        return publish_wpk(file, TARGET["apiKey"], **given)

    def failure(self, call, *given, **options):
        with self.assertRaises(AtomError) as raised:
            call(*given, **options)
        return raised.exception

    def test_carries_a_package_from_upload_to_published(self):
        at = {"base_url": TARGET["marketApi"]}
        name = fresh_name()
        answer = self.publish(name)
        self.assertEqual(answer["name"], name)
        self.assertEqual(self.publish(name)["id"], answer["id"], "the same bytes again")
        id = answer["id"]
        wait_for_status(id, TARGET["apiKey"], ["in_review"], timeout=20, **at)
        verdict = get_verdict(id, TARGET["apiKey"], **at)
        self.assertTrue(0 <= verdict["risk_score"] <= 1)
        self.assertEqual(self.failure(approve, id, TARGET["apiKey"], **at).status, 403)
        self.assertEqual(approve(id, TARGET["reviewerToken"], **at)["id"], id)
        final = wait_for_status(id, TARGET["apiKey"], ["published"], timeout=20, **at)
        self.assertEqual(final["status"], "published")
        self.assertEqual([found["id"] for found in list_marketplace(name, **at)], [id])
        again = self.failure(approve, id, TARGET["reviewerToken"], justification="once more", **at)
        self.assertEqual((again.status, again.attempts), (409, 1))

    def test_publishes_yaml_from_a_path_object_byte_for_byte(self):
        name = fresh_name()
        # JSON is YAML; the comment and the line ends make the bytes their own.
        text = "# Prüfung\r\n" + json.dumps(package_named(name), ensure_ascii=False)
        file = pathlib.Path(self.write("package.yaml", text.encode("utf-8")))
        options = {"signing_key": TARGET["privateKeyPath"], "base_url": TARGET["marketApi"]}
        answer = publish_wpk(file, TARGET["apiKey"], **options)
        self.assertEqual(answer["digest"], "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest())

    def test_takes_the_key_from_the_environment(self):
        with mock.patch.dict(os.environ, {"ATOM_SIGNING_KEY": TARGET["privateKeyPath"]}):
            self.assertTrue(self.publish(fresh_name(), signing_key=None)["id"])

    def test_is_refused_when_the_file_changed_after_it_was_signed(self):
        file = self.write("changed.json", package_named(fresh_name()))
        command = ["openssl", "dgst", "-sha256", "-sign", TARGET["privateKeyPath"], file]
        try:
            signature = subprocess.run(command, check=True, capture_output=True).stdout
        except FileNotFoundError:
            self.skipTest("the openssl program is not installed")
        self.write("changed.json.sig", base64.b64encode(signature))
        self.assertTrue(publish_wpk(file, TARGET["apiKey"], base_url=TARGET["marketApi"])["id"])
        self.write("changed.json", package_named(fresh_name()))
        error = self.failure(publish_wpk, file, TARGET["apiKey"], base_url=TARGET["marketApi"])
        self.assertEqual((error.status, error.code), (422, "signature_invalid"))

    def test_says_where_a_package_departs_from_the_format(self):
        file = self.write("wrong.json", {**package_named("x"), "kind": "Workflow"})
        options = {"signing_key": TARGET["privateKeyPath"], "base_url": TARGET["marketApi"]}
        error = self.failure(publish_wpk, file, TARGET["apiKey"], **options)
        self.assertEqual((error.status, error.code), (400, "wpk_malformed"))
        self.assertIn("/kind", [found["pointer"] for found in error.errors])

    def test_shows_unpublished_packages_to_their_own_organisation_only(self):
        name = fresh_name()
        id = self.publish(name)["id"]
        at = {"base_url": TARGET["marketApi"]}
        self.assertEqual(self.failure(get_workflow, id, TARGET["otherApiKey"], **at).status, 404)
        self.assertEqual([found["id"] for found in list_marketplace(name, token=TARGET["apiKey"], **at)], [id])
        self.assertEqual(list(list_marketplace(name, token=TARGET["otherApiKey"], **at)), [])

    def test_lists_every_package_once_whatever_the_page_size(self):
        at = {"base_url": TARGET["marketApi"]}
        whole = [found["id"] for found in list_marketplace(limit=500, **at)]
        self.assertGreater(len(whole), 1)
        self.assertEqual([found["id"] for found in list_marketplace(limit=1, **at)], whole)

    def test_asks_for_no_page_before_it_is_read(self):
        play([{"status": 200, "json": {"wpks": [{"id": "a"}], "count": 1, "next": "b+/="}}])
        listing = list_marketplace(base_url=SCRIPTED)
        self.assertEqual(heard(), [])
        self.assertEqual(next(listing), {"id": "a"})
        self.assertEqual(len(heard()), 1)

    def test_stops_when_the_service_repeats_a_cursor(self):
        play([{"status": 200, "json": {"wpks": [], "count": 0, "next": "again"}}] * 3)
        error = self.failure(lambda: list(list_marketplace(base_url=SCRIPTED)))
        self.assertEqual(error.code, "cursor_loop")
        self.assertEqual(len(heard()), 2)

    def test_needs_a_justification(self):
        self.assertEqual(self.failure(approve, "p", "secret", justification=" ").code, "invalid_argument")

    def test_takes_the_409_of_its_own_retried_approval_as_the_approval_it_made(self):
        lost = [{"drop": "before_answer"}, {"status": 409, "json": {"code": "already_decided"}}]
        play(lost + [{"status": 200, "json": {"id": "p", "status": "published"}}])
        answer = approve("p", "secret", base_url=SCRIPTED, options=recording_options()[0])
        self.assertEqual(answer, {"id": "p", "status": "published"})
        self.assertEqual([request["method"] for request in heard()], ["POST", "POST", "GET"])
        play(lost + [{"status": 200, "json": {"id": "p", "status": "rejected"}}])
        error = self.failure(approve, "p", "secret", base_url=SCRIPTED, options=recording_options()[0])
        self.assertEqual((error.code, error.attempts), ("already_decided", 2))

    def test_stops_waiting_when_the_status_is_final_or_the_time_is_up(self):
        play([{"status": 200, "json": {"id": "p", "status": "rejected", "reason": "reads secrets"}}])
        error = self.failure(wait_for_status, "p", "secret", ["published"], base_url=SCRIPTED)
        self.assertEqual(error.code, "status_final")
        self.assertIn("reads secrets", str(error))
        play([{"status": 200, "json": {"id": "p", "status": "in_review"}}] * 9)
        options, waits = recording_options()
        at = {"base_url": SCRIPTED, "options": options, "timeout": 5}
        error = self.failure(wait_for_status, "p", "secret", ["published"], **at)
        self.assertEqual(error.code, "wait_timeout")
        self.assertEqual(waits, [0.2, 0.4, 0.8, 1.6])


if __name__ == "__main__":
    unittest.main()
