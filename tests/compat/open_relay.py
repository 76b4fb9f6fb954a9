"""An open relay of whichever `transport` is on the path: prints its URL and its certificate's hash.

Kept to what every release has. The end of standard input ends it.
"""

import sys

import transport

certificate = transport.credentials.make_certificate()
config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
with transport.Node(config) as node:
    print(f"moqt://{node.address}", certificate.sha256, flush=True)
    sys.stdin.read()
