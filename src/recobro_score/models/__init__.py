"""The models: one LightGBM core, one calibration protocol, one report; each model a short file on top.

The core: `booster` (LightGBM on arrays of a known schema: `growing` trains, `forest` scores on the `trees`
read from its text), `calibration` (margin to probability), `slices` (which rows train, calibrate and test),
`event_model` (fit, calibrate, score held-out debtors), `event_scorer` (the same with accounts, dates and
buckets: what the models of one event stand on; `scorer_fit` fits it, `bucket_model` is one for some buckets
only), `snapshots` (the rows of a portfolio to learn from), `weights` (how much they count), `facts` (what a
model learned from, with warnings), `scores` (what a model says).

The models: `payment`, `recovery`, `contact`, `promise`, `plan`, `self_cure` (with `uncontacted`),
`early_warning`, `effect` (what actions add, from the `decision_log`).

Beside them: `report` (of any model; `event_report` of one event), `rivals` (`baseline`, `scorecard` on `woe`,
single features), `objectives`,
`selection` (regret over months), `tuning`, `tabular` (a scikit-learn classifier over a `plain` table).
"""
