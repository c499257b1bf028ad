"""Contact: whom a channel reaches, and when.

`model` (`ContactModel`: account × channel × hour, factorised) with `log` (the attempts), `columns` (what its
trees see), `history` (an account's own attempts), `pattern` (hours and weekdays), `fit`, `calibration`,
`rates_of_day` (what it says), `points` (`best_contact`), `report` and `files`. `rates` are the smoothed rates
that a night uses, from `attempts`.
"""
