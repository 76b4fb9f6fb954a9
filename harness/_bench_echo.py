"""A raw UDP echo on loopback, as the floor to measure from: prints its port; an empty datagram ends it."""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        data, address = server.recvfrom(2048)
        if not data:
            break
        server.sendto(data, address)
