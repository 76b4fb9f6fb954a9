"""An open relay in a process of its own, to be measured: `python -m harness._bench_relay [SHARDS]`.

Prints its URL and its certificate's hash. The end of standard input ends it.
"""

from __future__ import annotations

import sys

import transport


def main() -> None:
    """Run until standard input ends."""
    certificate = transport.credentials.make_certificate()
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    options = transport.NodeOptions(shards=int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    with transport.Node(config, options=options) as node:
        print(f"moqt://{node.address}", certificate.sha256, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
