"""The models: one LightGBM core, one calibration protocol, one report; each model a short file on top.

Modules: `booster` (LightGBM on arrays of a known schema), `calibration` (margin to probability),
`event_model` (labels → fit → calibrate → held-out scores), `payment` (`PaymentModel`), `baseline` (the
logistic regression beside every report).
"""
