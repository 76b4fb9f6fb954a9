"""`python -m tests.compat.pin`: pins the wire as the golden vectors have it now, at a release."""

import json

from tests.compat.test_releases import HERE, digests

if __name__ == "__main__":
    (HERE / "wire.json").write_text(json.dumps(digests(), indent=0, sort_keys=True) + "\n", "utf-8")
