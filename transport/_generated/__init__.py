# generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
"""What the IDL makes: numbers, the ABI, DTOs."""
