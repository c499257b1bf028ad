"""Promises: P(reached) · P(promises) · P(keeps it), by who takes the call.

`model` (`PromiseModel`), each `link` of its chain, and the `rows` it learns from.
"""
