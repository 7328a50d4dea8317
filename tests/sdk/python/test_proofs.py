import json
import os
import unittest

from atom_sdk import AtomError, verify_inclusion
from atom_sdk._merkle import leaf_hash, root_of_path

with open(os.path.join(os.path.dirname(__file__), "../proof-vectors.json"), encoding="utf-8") as file:
    VECTORS = json.load(file)


def verify(case, text=None, given=("record", "receipt")):
    return verify_inclusion(json.loads(text or case["proof"]), **{name: case[name] for name in given if name in case})


class Proofs(unittest.TestCase):
    maxDiff = None

    def test_has_the_paths_that_certificate_transparency_publishes(self):
        merkle = VECTORS["merkle"]
        for known in merkle["paths"]:
            place, size = known["place"], known["size"]
            leaf = leaf_hash(bytes.fromhex(merkle["leaves"][place]))
            path = [bytes.fromhex(one) for one in known["path"]]
            with self.subTest(place=place, size=size):
                self.assertEqual(root_of_path(leaf, place, size, path).hex(), merkle["roots"][size - 1])
                for other in (-1, size, str(place), True if place == 1 else False):
                    self.assertIsNone(root_of_path(leaf, other, size, path))

    def test_takes_every_proof_and_says_what_it_shows(self):
        self.assertGreater(len(VECTORS["proofs"]), 1)
        for case in VECTORS["proofs"]:
            with self.subTest(case["name"]):
                self.assertEqual(verify(case), case["shows"])

    def test_refuses_every_proof_with_any_byte_changed(self):
        for case in VECTORS["proofs"]:
            whole = case["proof"].encode()
            for bit in (1, 2, 32):
                for at in range(len(whole)):
                    changed = bytearray(whole)
                    changed[at] ^= bit
                    with self.assertRaises((AtomError, ValueError, TypeError, KeyError), msg="%s %d" % (case["name"], at)):
                        verify(case, changed.decode(), ("receipt",))

    def test_refuses_what_does_not_hold(self):
        for case in VECTORS["refused"]:
            with self.subTest(case["name"]):
                with self.assertRaises(AtomError) as raised:
                    verify(case)
                error = raised.exception
                pointer = error.errors[0]["pointer"] if error.errors else None
                self.assertEqual(pointer, case["pointer"])
                self.assertEqual(error.code, "invalid_argument" if pointer is None else "proof_invalid")
