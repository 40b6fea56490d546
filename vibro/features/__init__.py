"""The feature vectors of every window: what the forests see, from raw samples.

`table` says what each feature is, `setup` what is known of a channel, `spans` how long windows
are, `stream` computes them as samples arrive, `recording` for a whole recording at once.
"""
