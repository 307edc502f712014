"""Each flaw of the bench's certificates is the one that OpenSSL finds."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from agent.bench.tls import BenchTls, Chain, Validity


async def verify_error(tls: BenchTls, host: str = "localhost", root_ca: str | None = None) -> str:
    """What a client says to the certificate; "" where it is content."""

    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=tls.server_context())
    async with server:
        port = server.sockets[0].getsockname()[1]
        context = ssl.create_default_context(cadata=root_ca or tls.root_ca)
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        writer.close()
        await writer.wait_closed()
    return ""


@pytest.mark.parametrize(
    ("tls", "found"),
    [
        (BenchTls(), ""),
        (BenchTls(chain=Chain.COMPLETE), ""),
        (BenchTls(chain=Chain.INCOMPLETE), "unable to get local issuer certificate"),
        (BenchTls(validity=Validity.EXPIRED), "certificate has expired"),
        (BenchTls(validity=Validity.NOT_YET), "certificate is not yet valid"),
        (BenchTls(hosts=("csms.example.com",)), "Hostname mismatch"),
    ],
)
async def test_a_flaw_is_found(tls: BenchTls, found: str) -> None:
    assert (await verify_error(tls)).startswith(found)
    assert bool(found) == bool(await verify_error(tls))


async def test_an_address_is_a_host_too() -> None:
    assert await verify_error(BenchTls(), "127.0.0.1") == ""


async def test_another_ca_is_unknown() -> None:
    assert "unable to get local issuer" in await verify_error(BenchTls(), root_ca=BenchTls().root_ca)
