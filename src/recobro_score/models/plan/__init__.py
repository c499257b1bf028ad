"""Plans: P(accepts the terms) and P(completes them), running plans censored.

`model` (`PlanModel`), fitted (`fit`) on `rows`; its two `parts`; the account's own `signal`; `scorer` (the
policy's `TermScorer`); `report`.
"""
