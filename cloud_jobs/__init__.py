"""Cloud jobs: consume, store, diagnose, correlate, retrain, publish, query, serve."""
