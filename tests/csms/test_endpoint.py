"""The connection URL (OCPP-J 1.6 §3.1.1, RFC 3986)."""

from __future__ import annotations

import pytest

from agent.csms.endpoint import csms_endpoint, proxy_endpoint, shown_url


@pytest.mark.parametrize(
    ("url", "identity", "authority", "resource"),
    [
        ("ws://csms.example.com/ocpp", "CS001", "csms.example.com", "/ocpp/CS001"),
        ("wss://csms.example.com/ocppj", "RDAM 123", "csms.example.com", "/ocppj/RDAM%20123"),
        ("ws://csms.example.com/ocpp/", "CP001", "csms.example.com", "/ocpp/CP001"),
        ("ws://csms.example.com", "CP001", "csms.example.com", "/CP001"),
        ("ws://csms.example.com:9000", "CP001", "csms.example.com:9000", "/CP001"),
        ("wss://csms.example.com:443/a/b", "CP001", "csms.example.com", "/a/b/CP001"),
        ("ws://csms.example.com:443", "CP001", "csms.example.com:443", "/CP001"),
        ("wss://csms.example.com/ocpp?tenant=7", "CP001", "csms.example.com", "/ocpp/CP001?tenant=7"),
        ("ws://[::1]:9000/ocpp", "CP001", "[::1]:9000", "/ocpp/CP001"),
        ("ws://h/", "a/b?c#d|é", "h", "/a%2Fb%3Fc%23d%7C%C3%A9"),
        ("ws://h/", "DE*ABC+1=:@", "h", "/DE*ABC+1=:@"),
    ],
)
def test_the_identity_is_appended_percent_encoded_as_necessary(
    url: str, identity: str, authority: str, resource: str
) -> None:
    endpoint = csms_endpoint(url, identity)
    assert (endpoint.authority, endpoint.resource) == (authority, resource)


def test_a_name_outside_ascii_is_dialled_in_its_dns_spelling() -> None:
    assert csms_endpoint("ws://ladesäule.example/ocpp", "CP001").host == "xn--ladesule-4za.example"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "empty"),
        ("http://h/ocpp", "ws://"),
        ("csms.example.com/ocpp", "ws://"),
        ("ws:///ocpp", "host"),
        ("ws://h:99999/", "port"),
        ("ws://h:0/", "port"),
        ("ws://h:nine/", "port"),
        ("ws://h/oc pp", "space"),
        ("ws://h/ocpp\n", "space"),
        ("ws://h/ocpp#top", "#"),
        ("ws://user:s3cret@h/ocpp", "user name"),
        ("ws://h/öcpp", "percent-encode"),
        ("ws://[::1/ocpp", "IPv6"),
    ],
)
def test_what_cannot_be_a_csms_url_is_refused_with_the_reason_and_without_credentials(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        csms_endpoint(url, "CP001")
    assert "s3cret" not in str(caught.value)


def test_the_shown_url_hides_credentials_and_query_values() -> None:
    assert csms_endpoint("wss://h/ocpp?token=s3cret&x=1", "CP001").shown == "wss://h/ocpp/CP001?token=***&x=***"
    assert shown_url("ws://user:s3cret@h/ocpp?k=s3cret#s3cret") == "ws://h/ocpp?k=***"
    assert "s3cret" not in repr(proxy_endpoint("http://user:s3cret@proxy:3128"))
