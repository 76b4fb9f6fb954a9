"""Tests of the Python SDK, through its public face, against the real native core."""
