"""Small complete programs on ClutchCall transport. Each runs as it stands."""
