"""Make, list and revoke API keys: ``python -m gateway.manage_keys create --name curator --role manage``.

``--collection NAME`` restricts the key to a collection; it may be repeated.

The file is ``GATEWAY_KEYS_FILE``, which the running gateway watches: a change takes effect at its next request.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.settings import GatewaySettings
from serving.audit import AuditLog, Change
from serving.auth.keys import KeysError, create_key, read_keys, revoke_key
from serving.roles import Role
from serving.settings import read_settings

ROLES = tuple(role.word for role in Role if role is not Role.OPEN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m gateway.manage_keys", description=__doc__)
    parser.add_argument("--keys-file", type=Path, help="instead of GATEWAY_KEYS_FILE")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="create a key and print it, once")
    create.add_argument("--name", required=True, help="name of the key's user: letters, digits and . _ -")
    create.add_argument(
        "--role",
        required=True,
        choices=ROLES,
        help="match: send photos; manage: also change the gallery; admin: also /metrics",
    )
    create.add_argument(
        "--collection",
        action="append",
        metavar="NAME",
        help="restrict the key to this collection; may be repeated; without it, the key may be used for all; not with "
        "the role admin",
    )
    commands.add_parser("list", help="list names, roles and collections of the keys")
    revoke = commands.add_parser("revoke", help="revoke a key; it is refused from the next request on")
    revoke.add_argument("--name", required=True)
    given = parser.parse_args(arguments)
    settings = read_settings(GatewaySettings)
    keys_file = given.keys_file or settings.keys_file
    if keys_file is None:
        parser.error("no keys file is named; set GATEWAY_KEYS_FILE, or give --keys-file")
    audit = AuditLog(settings.audit_file)
    try:
        if given.command == "list":
            _list(keys_file)
        elif given.command == "create":
            token = create_key(keys_file, given.name, given.role, given.collection)
            restriction = {"collections": given.collection} if given.collection else {}
            _write_down(audit, "key.create", given.name, role=given.role, **restriction)
            print(f"the key {given.name} ({given.role}); it is not stored anywhere, so note it now:", file=sys.stderr)
            print(token)
        else:
            revoked = revoke_key(keys_file, given.name)
            _write_down(audit, "key.revoke", given.name, role=revoked.role)
            print(f"the key {given.name} is revoked")
    except KeysError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


def _list(keys_file: Path) -> None:
    for key in read_keys(keys_file).keys:
        restriction = "" if key.collections is None else f"  only {', '.join(key.collections)}"
        print(f"{key.name:<30} {key.role:<7} made {key.created:%Y-%m-%d}{restriction}")


def _write_down(audit: AuditLog, action: str, name: str, **details: Any) -> None:
    audit.record(action, Change([name], dict(details)), "done", who=f"user {os.getuid()} of the machine")


if __name__ == "__main__":
    sys.exit(main())
