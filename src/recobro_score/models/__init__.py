"""The models: one LightGBM core, one calibration protocol, one report; each model a short file on top.

The core: `booster` (LightGBM on arrays of a known schema; `single_row` for one), `calibration` (margin to
probability), `event_model` (order the rows, fit, calibrate, score held-out rows), `event_scorer` (the same
with accounts, dates and buckets: what the models of one event stand on; `bucket_scorer` for some buckets
only), `snapshots` (the rows of a portfolio to learn from), `facts` (what a model learned from, with
warnings), `scores` (what a model says).

The models: `payment`, `recovery`, `contact`, `promise`, `plan`, `self_cure` (with `uncontacted`),
`early_warning`, `effect` (what actions add, from the `decision_log`).

Beside them: `baseline` and `scorecard` (on `woe`: the rivals of every report), `report`, `objectives`,
`selection` (regret over months), `tuning`, `tabular` (a scikit-learn classifier over a `plain` table).
"""
