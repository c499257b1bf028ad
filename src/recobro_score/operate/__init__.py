"""Adapters around the engine: what a job, a cluster or a registry needs to run it."""
