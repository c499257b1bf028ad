"""Recovery: the distribution of the recovered share, and with it the money.

`model` (`RecoveryModel`); `share_model` (one margin) and `share_chain` (margin to distribution); `forecast`
(what it says); `report` (predicted against recovered money).
"""
