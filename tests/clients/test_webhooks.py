"""Where a webhook may be."""

import asyncio

import pytest
from servers.receiver import Receiver, receiving

from clients.webhooks import NotDelivered, is_public, open_webhook


def send(url: str, *, to_private: bool) -> None:
    """Send an event."""

    async def run() -> None:
        async with open_webhook(url, b"secret", to_private=to_private) as client:
            await client.send("msg_1", "{}")

    asyncio.run(run())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_a_private_address_is_not_connected_to(host: str):
    """However it is written, also behind a name; where it is allowed, the same receiver gets the event."""

    def send_to(receiver: Receiver, *, to_private: bool) -> None:
        send(f"http://{host}:{receiver.port}/", to_private=to_private)

    with receiving() as receiver:
        with pytest.raises(NotDelivered, match="the receiver's address is not public"):
            send_to(receiver, to_private=False)
        assert receiver.received.empty()
        if host != "[::1]":  # the receiver listens on IPv4 alone
            send_to(receiver, to_private=True)
            assert receiver.next().body == b"{}"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("64:ff9b::808:808", True),
        ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("100.64.0.1", False),
        ("169.254.169.254", False), ("224.0.0.1", False), ("255.255.255.255", False),
        ("fd00::1", False), ("fe80::1%eth0", False), ("ff02::1", False), ("::", False),
        ("::ffff:10.0.0.1", False), ("2002:a00:1::", False), ("64:ff9b::a00:1", False),
        ("::a00:1", False), ("::127.0.0.1", False), ("fec0::1", False),
    ],
)  # fmt: skip
def test_what_is_public(address: str, expected: bool):
    """Private, local, shared, reserved and multicast addresses are not, and no IPv6 address that holds one."""
    assert is_public(address) is expected


def test_a_receiver_that_cannot_be_reached_is_not_named():
    """The message says what failed, and not where."""
    with receiving() as receiver:
        port = receiver.port

    with pytest.raises(NotDelivered) as failed:
        send(f"http://127.0.0.1:{port}/t0p-s3cret", to_private=True)

    assert str(failed.value) == "ClientConnectorError"
