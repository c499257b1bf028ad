"""How good are scores: metrics with standard errors, comparisons, reports, plots.

Works on plain arrays of outcomes and probabilities, so it judges anyone's scores. Modules: `ranking` (order),
`metrics` (probabilities and the per-group report), `result` (`Evaluation`), `logistic` (Newton's method for
the few-parameter regressions that calibration needs), `plots`.
"""
