"""The models: one LightGBM core, one calibration protocol, one report; each model a short file on top.

The core: `booster` (LightGBM on arrays of a known schema), `calibration` (margin to probability),
`event_model` (order the rows, fit, calibrate, score held-out rows), `baseline` (the logistic regression
beside every report), `facts` (what a model learned from, with warnings), `scores` (what a model says). On it:
`payment` with `shares` of what comes in. Without it: `contact`, `effect` and what they read (`attempts`,
`decision_log`).
"""
