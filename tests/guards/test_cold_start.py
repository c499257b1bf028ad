"""A process that only scores imports what scoring needs: training, reports and plots stay out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NOT_FOR_SCORING = {
    "joblib",
    "lightgbm",
    "matplotlib",
    "mlflow",
    "optuna",
    "polars",
    "scipy.optimize",
    "scipy.sparse",
    "scipy.stats",
    "shap",
    "sklearn",
}
REQUEST = {
    "as_of": "2025-06-03",
    "account": {
        "account_id": "A1",
        "debtor_id": "D1",
        "opened_at": "2024-03-01",
        "currency": "COP",
        "country": "CO",
    },
    "tables": {"payments": [{"account_id": "A1", "paid_at": "2025-04-30", "amount": 100_000}]},
}
SCORE = f"""
import json, sys
from recobro_score.serving import Scorer
scorer = Scorer.load(sys.argv[1], time_zone="America/Bogota")
result = scorer.score_one(json.loads(sys.argv[2]))
print(result.p_pay, len(result.reasons), *sorted({NOT_FOR_SCORING!r} & sys.modules.keys()))
"""


def test_a_score_with_its_reasons_imports_nothing_that_only_training_needs(small_bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCORE, str(small_bundle), json.dumps(REQUEST)],
        capture_output=True,
        text=True,
        check=True,
    )
    p_pay, reasons, *imported = done.stdout.split()
    assert 0.0 < float(p_pay) < 1.0
    assert int(reasons) > 0
    assert imported == []
