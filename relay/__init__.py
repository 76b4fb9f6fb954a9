"""The relay: `python -m relay` routes tracks between sessions that hold tokens, on one UDP port.

    relay.auth      checks tokens, and stamps sessions with what they may do
    relay.hook      answers a node's admission questions with such a check; keeps the table of its sessions
    relay.token     makes tokens and keys, also from the command line
    relay.control   the control stack: HTTP/3 with JSON or MessagePack, from the IDL's methods
    relay.admin     metrics, health and the live page over plain HTTP
    relay.metrics   Prometheus' text format

The packets themselves never pass through Python: the native core routes them by the stamp alone.
"""
