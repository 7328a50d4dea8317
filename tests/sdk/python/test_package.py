import ast
import glob
import os
import subprocess
import sys
import unittest

import atom_sdk

FOLDER = os.path.dirname(atom_sdk.__file__)


class Package(unittest.TestCase):
    def test_is_written_in_the_grammar_of_python_3_9(self):
        files = glob.glob(os.path.join(FOLDER, "*.py"))
        self.assertGreater(len(files), 5)
        for path in files:
            with open(path, encoding="utf-8") as file:
                ast.parse(file.read(), path, feature_version=(3, 9))

    def test_needs_nothing_but_the_standard_library(self):
        # -I -S: no site-packages, so that an import of anything else fails.
        program = "import sys; sys.path.insert(0, sys.argv[1]); import atom_sdk; print(atom_sdk.publish_wpk.__name__)"
        command = [sys.executable, "-I", "-S", "-B", "-c", program, os.path.dirname(FOLDER)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), "publish_wpk")

    def test_says_that_it_is_typed(self):
        self.assertTrue(os.path.exists(os.path.join(FOLDER, "py.typed")))


if __name__ == "__main__":
    unittest.main()
