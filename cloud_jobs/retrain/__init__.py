"""Nightly retraining: vectors from the lake -> forests -> gate -> a bundle to publish."""

from cloud_jobs.retrain.gate import GateResult, gate
from cloud_jobs.retrain.train import NotEnoughDataError, Vectors, train

__all__ = ["GateResult", "NotEnoughDataError", "Vectors", "gate", "train"]
