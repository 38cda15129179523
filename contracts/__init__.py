"""The wire: what travels between visitor, gateway, retrieval and verifier. Pure data.

Adding an optional field or a new error code is compatible; removing or renaming a field, or
narrowing what is accepted, breaks callers and needs a new major version.
"""
