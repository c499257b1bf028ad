"""Warming up leaves nothing to compile: told by the compiler itself, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from recobro_score.calendars import format_instant
from recobro_score.frames import to_arrow

LISTENING = """
import sys
from numba.core import event

class Listener(event.Listener):
    compiled = []
    def on_start(self, happening):
        self.compiled.append(str(happening.data["dispatcher"]))
    def on_end(self, happening):
        pass

event.register("numba:compile", Listener())
"""
WARMING = """
from recobro_score.operate.warmup import warm_up
print(warm_up(sys.argv[1]).summary())
assert Listener.compiled, "nothing was compiled"
"""
SCORING = """
import json
from recobro_score.features.single import AccountFeatures
from recobro_score.serving import Scorer
scorer = Scorer.load(sys.argv[1])
request = json.load(sys.stdin)
scorer.score_one(request)
tables = {**request["tables"], "accounts": [request["account"]]}
AccountFeatures(scorer.bundle.schema).of_rows(tables, 1_748_736_000_000_000)
assert not Listener.compiled, Listener.compiled
"""


def run(script, folder, cache, given=""):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", LISTENING + script, str(folder)]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, env=environment, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def request_of_one(small_simulation):
    """Everything known of one account, as a service is asked."""
    tables = {name: to_arrow(frame).to_pylist() for name, frame in small_simulation.tables.items()}
    account = tables.pop("accounts")[0]
    tables.pop("debtors")
    mine = {
        name: [row for row in rows if row.get("account_id") == account["account_id"]]
        for name, rows in tables.items()
    }
    body = {"as_of": format_instant(small_simulation.as_of), "account": account, "tables": mine}
    return json.dumps(body, default=lambda moment: moment.isoformat())


@pytest.mark.slow
def test_after_warming_up_a_service_compiles_nothing(small_bundle, request_of_one, tmp_path):
    assert "scoring" in run(WARMING, small_bundle, tmp_path)
    run(SCORING, small_bundle, tmp_path, request_of_one)
