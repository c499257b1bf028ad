"""From scores to lawful, affordable actions: who is contacted how, when, with which offer, and why not.

Nothing here knows a model or a feature: scores come in as arrays, so the policy works on anyone's scores.
"""
