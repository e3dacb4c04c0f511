import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from omniforge.errors import TryAgain
from omniforge.tools.builtin.http import http_tools
from omniforge.tools.egress import Egress, is_public
from tests.support.requirements import requirement
from tests.tools.bench import Bench
from tests.tools.web_server import WebServer, behind_tls, says

ANYWHERE = "0.0.0.0"  # noqa: S104 - as a destination, it is this machine


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as running:
        running.replies["/"] = says("reached")
        yield running


def reaching(tmp_path: Path, egress: Egress) -> Bench:
    return Bench(tmp_path, http_tools(egress))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", ANYWHERE,
        "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "198.18.0.1", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_the_open_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"]
)
def test_addresses_of_the_open_internet(address: str) -> None:
    assert is_public(address)


@requirement("TOOL-3")
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "localhost.", "LOCALHOST", "127.1", "2130706433", "0x7f000001", ANYWHERE,
     "[::ffff:127.0.0.1]", "[::1]", "017700000001"],
)  # fmt: skip
async def test_no_spelling_of_a_private_address_is_reached(
    tmp_path: Path, server: WebServer, host: str
) -> None:
    bench = reaching(tmp_path, Egress())

    for tool in ("http_get", "http_post"):
        with pytest.raises(TryAgain):
            await bench.call(tool, url=f"http://{host}:{server.server_port}/")

    assert server.received == []


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "//example.com", "example.com", "http:///x", "http://",
     "http://user:secret@example.com/", "http://example.com:0/", "http://example.com:99999/",
     "http://exa\nmple.com/", "http://[::1", "http://" + "a" * 300 + ".com/"],
)  # fmt: skip
async def test_a_url_that_no_tool_should_open_is_refused(tmp_path: Path, url: str) -> None:
    bench = reaching(tmp_path, Egress(resolve=_never))

    with pytest.raises(TryAgain) as caught:
        await bench.call("http_get", url=url)

    assert "secret" not in caught.value.message


@requirement("TOOL-3")
async def test_a_redirect_to_a_private_address_is_not_followed(tmp_path: Path) -> None:
    with WebServer() as public, WebServer() as private:
        public.replies["/"] = says("", status=302, location=f"{private.url}/")
        bench = reaching(tmp_path, Egress([public.host]))

        with pytest.raises(TryAgain, match="private or reserved"):
            await bench.call("http_get", url=public.url)

        assert len(public.received) == 1
        assert private.received == []


@requirement("TOOL-3")
async def test_the_address_that_was_checked_is_the_one_that_is_used(
    tmp_path: Path, server: WebServer
) -> None:
    answers = iter([["127.0.0.1"], ["192.0.2.1"]])

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return next(answers)

    bench = reaching(tmp_path, Egress(["shop.example"], resolve=rebinding))

    answer = await bench.call("http_get", url=f"http://shop.example:{server.server_port}/")

    assert answer["body"] == "reached"
    assert server.received[0].headers["host"] == f"shop.example:{server.server_port}"


async def test_one_private_address_among_public_ones_is_enough_to_refuse(tmp_path: Path) -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1", "10.0.0.1"]

    with pytest.raises(TryAgain, match="private or reserved"):
        await Egress(resolve=mixed).check("http://shop.example/")


async def test_the_next_address_is_tried_when_no_connection_comes_about(
    tmp_path: Path, server: WebServer
) -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]  # the server listens on the second only

    bench = reaching(tmp_path, Egress(["shop.example"], resolve=two))

    await bench.call("http_post", url=f"http://shop.example:{server.server_port}/", body="once")

    assert [received.body for received in server.received] == [b"once"]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate that nobody has signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    make = [
        openssl,
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]
    made = ["-subj", "/CN=shop.example", "-keyout", key, "-out", certificate]
    subprocess.run([*make, *made], check=True, capture_output=True, timeout=20)
    return certificate, key


async def test_tls_asks_for_the_name_in_the_url_and_trusts_no_stranger(
    tmp_path: Path, certificate: tuple[str, str]
) -> None:
    async def local(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    with WebServer() as server:
        names = behind_tls(server, *certificate)
        bench = reaching(tmp_path, Egress(["shop.example"], resolve=local))

        with pytest.raises(TryAgain, match="nothing was sent"):
            await bench.call("http_post", url=f"https://shop.example:{server.server_port}/")

    assert names == ["shop.example"]
    assert server.received == []


async def _never(host: str, port: int) -> Sequence[str]:
    raise OSError("no name is looked up in this test")
