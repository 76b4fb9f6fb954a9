"""The Unity package's transport, over the shim's driver."""
