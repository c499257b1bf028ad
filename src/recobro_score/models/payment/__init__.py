"""Payment: P(recovers ≥ a share of what is due within a horizon).

`model` (`PaymentModel`); `curve` (horizons × shares on one margin) with its `hazards`, labels (`grid`) and
answers (`cells`); `shares` (how much comes in, given paid and given not); `assumed` (where nothing can be
learned).
"""
