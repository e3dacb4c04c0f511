"""Choosing ports."""

import socket
from collections.abc import Iterator

import pytest

from dev import ports


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def number_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_the_usual_port_is_taken_when_it_is_free() -> None:
    usual = ports.reserve_any()
    usual.release()

    chosen = ports.reserve(usual.number)

    assert chosen.number == usual.number
    chosen.release()


def test_another_port_is_chosen_when_somebody_listens_on_the_usual_one(
    listener: socket.socket,
) -> None:
    chosen = ports.reserve(number_of(listener))

    assert chosen.number != number_of(listener)
    assert ports.is_free(chosen.number)
    chosen.release()


def test_a_port_that_is_only_taken_on_ipv6_is_not_free() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with server:
        assert not ports.is_free(number_of(server))


def test_two_who_choose_at_the_same_moment_get_different_ports() -> None:
    first = ports.reserve_any()

    second = ports.reserve(first.number)

    assert second.number != first.number
    first.release()
    second.release()


def test_a_port_is_free_right_after_its_server_has_closed_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
        number = number_of(server)

    assert ports.is_free(number)
