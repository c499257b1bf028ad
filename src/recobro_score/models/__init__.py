"""The models: one LightGBM core, one calibration protocol, one report; each model a short file on top.

The core: `booster` (LightGBM on arrays of a known schema; `single_row` for one), `calibration` and its
family (`calibration_steps`, `calibration_segments`, `calibration_interval`: margin to probability),
`event_model` (order the rows, fit, calibrate, score held-out rows), `event_scorer` (the same with accounts,
dates and buckets: what the models of one event stand on; `bucket_scorer` for some buckets only),
`snapshots` (the rows of a portfolio to learn from), `facts` (what a model learned from, with warnings),
`scores` (what a model says).

The models: `payment` (with its `payment_curve` over horizons and shares), `recovery` (the distribution of the
recovered share, from a `share_chain`), `contact_model` (account × channel × hour, factorised; `contact` has
the smoothed rates of a night), `promise`, `plan` (a scorer of terms), `self_cure`, `early_warning`, `effect`
(what actions add).

Beside them: `baseline` and `scorecard` (rivals of every report), `report`, `objectives`, `selection` (regret
over months), `tuning`, `tabular` (a scikit-learn classifier over a plain X).
"""
