"""The servers under test, started by python-sdk.test.ts and named in the environment."""

import json
import os
import shutil
import tempfile
import unittest
import urllib.request
from datetime import datetime, timezone

from atom_sdk import CallOptions, Runtime

SCRIPTED = os.environ["ATOM_TEST_SCRIPTED"]
TARGET = json.loads(os.environ["ATOM_TEST_TARGET"])


def play(steps):
    """Set what the scripted server answers, one step a request."""
    body = json.dumps(steps).encode()
    urllib.request.urlopen(urllib.request.Request(SCRIPTED + "/__script", data=body), timeout=10).close()


def heard():
    """The requests the scripted server got since the last `play`."""
    with urllib.request.urlopen(SCRIPTED + "/__heard", timeout=10) as response:
        return json.load(response)


def recording_options(random=0.0, now=None, **limits):
    """(options, waits): waits are recorded instead of slept and move the clock that deadlines are measured by."""
    waits = []
    at = now or datetime.now(timezone.utc)
    runtime = Runtime(now=lambda: at, elapsed=lambda: sum(waits), sleep=waits.append, random=lambda: random)
    return CallOptions(runtime=runtime, **limits), waits


def package_named(name, version="1.0.0"):
    """A small harmless package of that name and version."""
    return {
        "apiVersion": "v1",
        "kind": "WorkflowPackage",
        "metadata": {"name": name, "version": version, "description": "Prüft einen Dienst", "tags": ["sdk-test"]},
        "spec": {
            "runtime": {"type": "shell", "version": "5"},
            "safety": {"mode": "manual", "approval_required": True, "dry_run_required": True},
            "triggers": [{"type": "schedule", "config": {"cron": "0 6 * * *"}}],
            "handlers": [{"name": "greet", "type": "shell", "config": {"command": "echo hello"}, "timeout": "30s"}],
        },
    }


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="atom-sdk-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode("utf-8")
        with open(path, "wb") as file:
            file.write(data)
        return path
