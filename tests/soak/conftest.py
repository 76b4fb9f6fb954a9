"""The SDK's fixtures, for tests that run longer and in more processes."""

from tests.sdk.conftest import certificate, relay, shards

__all__ = ["certificate", "relay", "shards"]
