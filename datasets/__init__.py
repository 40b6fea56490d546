"""Public recordings: their catalogue, manifests and checksums, and what replays them."""
