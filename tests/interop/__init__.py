"""Other implementations of MoQT against the relay."""
