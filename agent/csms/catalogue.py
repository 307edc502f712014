"""What each diagnosis means to the person who has to mend it: likely causes and next steps.

Written for a technician at the charger, with a telephone in the other hand. Site profile keys are named as they
are typed.
"""

from __future__ import annotations

from agent.charging.value import Value
from agent.csms.diagnosis import DiagnosisCode as Code


class Advice(Value):
    """The part of a diagnosis that its code alone decides."""

    causes: tuple[str, ...]
    next_steps: tuple[str, ...]
    ask_operator: str | None = None


_CHECK_URL = "Compare csms.url with the address the CSMS operator gave you, character by character."
_CHECK_NETWORK = (
    "Check the network cable, the SIM or the Wi-Fi, then whether another device on it reaches the internet."
)
_CHECK_CLOCK = "Compare this device's clock (shown above) with your watch; set network.time_servers if it is wrong."
_CHECK_ROOT = "Install the root certificate the CSMS operator gives you as csms.root_ca."
_WAIT = "Nothing to do here: the charger keeps trying by itself."

CATALOGUE: dict[Code, Advice] = {
    Code.URL_INVALID: Advice(
        ("The CSMS URL or the proxy URL was mistyped.", "The URL and the security profile do not fit together."),
        (_CHECK_URL, "Security profiles 2 and 3 need a URL that starts with wss://."),
    ),
    Code.ROOT_CA_INVALID: Advice(
        ("The file is not a certificate in PEM form, or it was cut off while copying.",),
        (_CHECK_ROOT, "The file must contain the lines BEGIN CERTIFICATE and END CERTIFICATE."),
    ),
    Code.CLIENT_CERTIFICATE_INVALID: Advice(
        (
            "No client certificate is installed, which security profile 3 needs.",
            "The certificate and the private key do not belong together.",
            "The key is protected by a passphrase.",
        ),
        ("Install csms.client_certificate and csms.client_key again, as one pair, in PEM form.",),
    ),
    Code.DNS_FAILED: Advice(
        (
            "The host name in csms.url is mistyped.",
            "The name exists only inside a private network (VPN, private APN) that this charger is not in.",
        ),
        (_CHECK_URL, "On a private APN or VPN, check that its DNS server is the one in use."),
        "Is this host name right, and is it visible from the charger's network?",
    ),
    Code.DNS_UNAVAILABLE: Advice(
        ("There is no network connection.", "The DNS server is wrong or blocked by a firewall."),
        (_CHECK_NETWORK, "Check the DNS server that the router or the SIM provider hands out."),
    ),
    Code.CONNECTION_REFUSED: Advice(
        (
            "The port in csms.url is wrong.",
            "The CSMS is not running.",
            "A firewall rejects the connection.",
        ),
        (_CHECK_URL, "Ask whoever runs the site's firewall to allow outgoing connections to the host and port above."),
        "Is the CSMS running, and does it listen on this port?",
    ),
    Code.NETWORK_UNREACHABLE: Advice(
        (
            "The network cable is unplugged, or the modem has no signal.",
            "The router or the VPN has no route to this address.",
        ),
        (_CHECK_NETWORK, "Check that the charger has an IP address and a gateway."),
    ),
    Code.CONNECT_TIMEOUT: Advice(
        (
            "A firewall silently drops the connection.",
            "The address belongs to a network that this charger cannot reach (VPN, private APN).",
            "The mobile signal is too weak.",
        ),
        (
            _CHECK_NETWORK,
            "Ask whoever runs the site's firewall to allow outgoing connections to the host and port above.",
        ),
        "Is the CSMS reachable from the internet, or only from your own network?",
    ),
    Code.CONNECTION_RESET: Advice(
        (
            "A firewall or load balancer between here and the CSMS cut the connection.",
            "The CSMS was restarting.",
            "The port expects another protocol (ws:// where wss:// is needed, or the reverse).",
        ),
        (
            _CHECK_URL,
            "If it stays, try another network (a mobile hotspot) to find out whether the site's firewall does it.",
        ),
        "Do your load balancer's logs show why it cut this connection?",
    ),
    Code.CONNECT_FAILED: Advice(
        ("The operating system refused to open the connection.",),
        ("Restart the charger; if it stays, send the support bundle to its manufacturer.",),
    ),
    Code.PROXY_UNREACHABLE: Advice(
        ("network.proxy is mistyped.", "The proxy is down, or does not speak HTTP."),
        ("Check network.proxy with whoever runs the site's network.",),
    ),
    Code.PROXY_REFUSED: Advice(
        (
            "The proxy does not allow connections to this host and port.",
            "The proxy wants a user name and password (status 407).",
            "The proxy cannot reach the CSMS (status 502, 503 or 504).",
        ),
        ("Ask whoever runs the proxy to allow CONNECT to the host and port above.",),
    ),
    Code.TLS_UNKNOWN_ROOT: Advice(
        (
            "No root certificate of this CSMS is installed, or an old one.",
            "The site's firewall opens TLS connections and presents its own certificate.",
            "The server leaves out an intermediate certificate.",
        ),
        (
            _CHECK_ROOT,
            "If the issuer named above is the site's own company, ask its IT to exempt the CSMS from TLS inspection.",
        ),
        "Which root certificate must a charger trust? Please send it as a PEM file.",
    ),
    Code.TLS_SELF_SIGNED: Advice(
        (
            "The CSMS uses a certificate that it signed itself.",
            "Something else than the CSMS answers (a router's or firewall's own page).",
        ),
        (
            "If the certificate named above is really the CSMS's, install that very certificate as csms.root_ca.",
            _CHECK_URL,
        ),
        "Do you use a self-signed certificate? Please send it as a PEM file.",
    ),
    Code.TLS_INCOMPLETE_CHAIN: Advice(
        ("The server sends its own certificate without the intermediate certificate that signed it.",),
        (
            "Only the CSMS operator can mend this: pass on the next line.",
            "Until then, the missing intermediate certificate may be installed as csms.root_ca beside the root.",
        ),
        "Please configure the server to send the full chain (server certificate plus all intermediates).",
    ),
    Code.TLS_EXPIRED: Advice(
        (
            "The certificate of the CSMS, or of the authority that issued it, has run out.",
            "This device's clock is wrong.",
        ),
        (
            _CHECK_CLOCK,
            "If the clock is right, only the CSMS operator can mend this; if the root itself ran out: " + _CHECK_ROOT,
        ),
        "Your server's certificate has expired; please renew it.",
    ),
    Code.TLS_NOT_YET_VALID: Advice(
        ("This device's clock is behind.", "The certificate was issued for a later date."),
        (_CHECK_CLOCK, "Check that the network lets time requests (NTP, UDP port 123) through."),
    ),
    Code.TLS_WRONG_HOST: Advice(
        (
            "csms.url has an IP address or another name than the one on the certificate.",
            "The name leads to another server than the CSMS.",
        ),
        ("Use one of the names on the certificate, listed above, in csms.url if the operator confirms it.", _CHECK_URL),
        "Which host name must chargers use? The certificate is for other names.",
    ),
    Code.TLS_CERTIFICATE_INVALID: Advice(
        ("A certificate in the chain is damaged, too weak, revoked, or not meant for a server.",),
        ("Only the CSMS operator can mend this: pass on what was seen.",),
        "Your certificate chain fails verification for the reason above; please replace it.",
    ),
    Code.TLS_PROTOCOL: Advice(
        (
            "The server offers only TLS 1.1 or older, or no cipher suite that OCPP allows.",
            "A firewall interferes with TLS.",
        ),
        ("Only the CSMS operator can mend this: pass on what was seen.",),
        "Please enable TLS 1.2 with ECDHE and AES-GCM cipher suites.",
    ),
    Code.TLS_PLAIN_HTTP: Advice(
        (
            "The port does not speak TLS: csms.url says wss:// where the CSMS wants ws://, or the port is wrong.",
            "A login page or proxy of the site's network answers instead of the CSMS.",
        ),
        (_CHECK_URL, "Do not lower the security profile unless the operator asks for it."),
        "Which port takes TLS connections?",
    ),
    Code.TLS_CLIENT_CERTIFICATE_REJECTED: Advice(
        (
            "The CSMS wants a client certificate and none is installed, or one it does not trust.",
            "The client certificate has expired or was revoked.",
        ),
        (
            "Check with the operator that this charger should use security profile 3.",
            "Install csms.client_certificate and csms.client_key as issued for this charger.",
        ),
        "Which authority must the charger's certificate come from, and do you know this certificate?",
    ),
    Code.HANDSHAKE_TIMEOUT: Advice(
        (
            "The CSMS is overloaded.",
            "The port belongs to another service that waits for something else.",
            "A proxy or firewall holds the request back.",
        ),
        (_CHECK_URL, _WAIT),
        "The TCP connection opens, but nothing answers: is the service behind the load balancer up?",
    ),
    Code.HTTP_401_NO_CREDENTIALS: Advice(
        ("The CSMS wants a password, and this charger's security profile sends none.",),
        (
            "Ask the operator for the security profile and the password.",
            "Set csms.security_profile (1 with ws://, 2 with wss://) and csms.basic_auth_password.",
        ),
        "Which security profile and which password does this charger have to use?",
    ),
    Code.HTTP_401_CREDENTIALS_NOT_SET: Advice(
        (
            "The password was never set on this charger.",
            "A factory reset removed it.",
        ),
        ("Set csms.basic_auth_password to the password that the CSMS shows for this charger.",),
        "Which password does this charger have to use?",
    ),
    Code.HTTP_401_CREDENTIALS_REJECTED: Advice(
        (
            "The password on this charger differs from the one in the CSMS.",
            "The identity differs: upper and lower case, a space at the end.",
            "The password was replaced in the CSMS.",
        ),
        (
            "Create a new password for this charger in the CSMS and set it as csms.basic_auth_password.",
            "Compare csms.identity with the CSMS, character by character.",
        ),
        "Is this identity registered with another password? Is the key taken as text or as hexadecimal bytes?",
    ),
    Code.HTTP_403: Advice(
        (
            "The CSMS knows this charger but has blocked or not yet approved it.",
            "A web firewall in front of the CSMS refuses this IP address or country.",
        ),
        ("Ask the operator to approve this charger; give the identity and the time shown above.",),
        "Is this charger blocked, or is its IP address not on your allow list?",
    ),
    Code.HTTP_404: Advice(
        (
            "The charger is not registered in the CSMS under this identity.",
            "The identity differs in upper or lower case, separators ('_' or '-'), or a space at the end.",
            "The path in csms.url is wrong, or leads to another tenant.",
        ),
        (
            "Register the charger in the CSMS with exactly the identity at the end of the URL above.",
            "The identity is appended by the charger: csms.url must not contain it.",
            _CHECK_URL,
        ),
        "Is this identity registered, and under which path?",
    ),
    Code.HTTP_429: Advice(
        (
            "Many chargers share this IP address, and the CSMS limits them together.",
            "The connection was opened and closed too often (commonly 10 times a minute are allowed).",
        ),
        (_WAIT, "If it happens again and again, raise RetryBackOffWaitMinimum."),
        "What are your limits per IP address for connections and messages? Can they be raised for this site?",
    ),
    Code.HTTP_5XX: Advice(
        ("The CSMS has a fault or is being updated.", "The load balancer finds no running CSMS behind it."),
        (_WAIT,),
        "Your server answers with the error above; what do its logs say at that time?",
    ),
    Code.HTTP_REDIRECT: Advice(
        (
            "The CSMS moved to another address.",
            "A login page of the site's network (captive portal) intercepts the connection.",
            "The server wants wss:// instead of ws://.",
        ),
        ("If the operator confirms the new address, set it as csms.url; the charger never follows by itself.",),
        "Has the address for chargers changed?",
    ),
    Code.HTTP_UNEXPECTED: Advice(
        (
            "The address leads to a web page, not to the CSMS's WebSocket.",
            "A proxy on the way does not let WebSocket connections through.",
        ),
        (_CHECK_URL, "Try another network (a mobile hotspot) to find out whether the site's network interferes."),
        "Is this the right path for WebSocket connections?",
    ),
    Code.HANDSHAKE_INVALID: Advice(
        (
            "A proxy or cache on the way answers in place of the CSMS.",
            "The server's WebSocket implementation is faulty.",
        ),
        ("Try another network (a mobile hotspot) to find out whether the site's network interferes.",),
        "Your server's answer to the WebSocket upgrade breaks RFC 6455 as described above.",
    ),
    Code.SUBPROTOCOL_MISSING: Advice(
        (
            "The CSMS does not support any OCPP version that this charger offers.",
            "A proxy removes the header Sec-WebSocket-Protocol.",
            "The address belongs to a WebSocket service that is not OCPP.",
        ),
        ("Set csms.versions to what the operator supports.", _CHECK_URL),
        "Which OCPP versions does this address support?",
    ),
    Code.SUBPROTOCOL_WRONG: Advice(
        ("The CSMS chose an OCPP version that this charger did not offer.",),
        ("Set csms.versions to what the operator supports.",),
        "Which OCPP versions does this address support? The server must choose one the charger offered.",
    ),
    Code.CLOSED_AFTER_HANDSHAKE: Advice(
        (
            "The CSMS does not know this identity or has blocked it, and says so by closing.",
            "Another charger is connected with the same identity.",
            "The CSMS does not support the OCPP version it let pass.",
        ),
        ("Check in the CSMS that this identity exists only once and is enabled.",),
        "Why does the CSMS close the connection of this identity at once?",
    ),
    Code.CLOSED_BY_PEER: Advice(
        (
            "The CSMS restarted or was updated.",
            "Another charger connected with the same identity.",
            "The connection was silent for longer than the CSMS or a load balancer allows.",
        ),
        (_WAIT, "If it happens at regular intervals, set WebSocketPingInterval to less than that interval."),
        "Why was this connection closed? After which silence do you close connections?",
    ),
    Code.CLOSED_LOCALLY: Advice(("The charger closed the connection itself, for the reason above.",), (_WAIT,)),
    Code.CONNECTION_LOST: Advice(
        (
            "The network dropped: router restarted, mobile signal lost, new IP address.",
            "The CSMS or a load balancer was restarted.",
        ),
        (_WAIT, "If it happens at regular intervals, set WebSocketPingInterval to less than that interval."),
    ),
    Code.PONG_TIMEOUT: Advice(
        (
            "The network died without notice (mobile signal, router, changed IP address).",
            "The CSMS is overloaded or does not answer WebSocket pings.",
        ),
        (_WAIT, "If the operator's server does not answer pings at all, set WebSocketPingInterval to 0."),
        "Does your server answer WebSocket pings?",
    ),
    Code.SEND_STALLED: Advice(
        ("The CSMS or the network takes nothing any more, although the connection looks open.",),
        (_WAIT,),
    ),
    Code.MESSAGE_TOO_BIG: Advice(
        ("The CSMS or a proxy limits the size of messages below what this charger had to send.",),
        ("Reduce what meter values contain (MeterValuesSampledData, StopTxnSampledData).",),
        "Which message size do you accept?",
    ),
    Code.RECEIVED_TOO_BIG: Advice(
        ("The CSMS sent a message larger than this charger accepts.",),
        ("Only the CSMS operator can mend this: pass on what was seen.",),
        "Please split local lists and charging profiles into smaller messages.",
    ),
    Code.RECEIVED_INVALID: Advice(
        ("The CSMS sent data that break the WebSocket protocol.", "A proxy on the way damages the connection."),
        ("Try another network (a mobile hotspot) to find out whether the site's network interferes.",),
        "Your server sent a WebSocket frame that breaks RFC 6455 as described above.",
    ),
}
