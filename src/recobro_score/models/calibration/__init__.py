"""From a margin to a probability that means what it says.

`calibrator` (beta, Platt and what is left when data are thin), `steps` (isotonic, Venn-Abers), `segments`
(per bucket), `interval` (low and high), `family` (one door to all of them).
"""
