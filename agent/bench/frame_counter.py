"""Where the messages end in a WebSocket's bytes (RFC 6455 §5.2), read in passing."""

from __future__ import annotations

from collections.abc import Iterator

_CONTROL_OPCODES = 0x8  # close, ping and pong


class FrameCounter:
    """Fed one direction of a connection, from the HTTP head on, it says where each text or binary message ends."""

    def __init__(self) -> None:
        self._head_read = False
        self._pending = bytearray()  # of the HTTP head, or of a frame's header
        self._payload_left = 0
        self._ends_message = False

    def feed(self, data: bytes) -> Iterator[int]:
        """The offsets in `data` behind each message that ends in it. To be read to its end."""
        position = 0
        while position < len(data):
            if self._payload_left:
                taken = min(self._payload_left, len(data) - position)
                self._payload_left -= taken
                position += taken
                complete = not self._payload_left
            else:
                self._pending.append(data[position])
                position += 1
                complete = self._head_read and self._read_header() and not self._payload_left
                if not self._head_read and self._pending.endswith(b"\r\n\r\n"):
                    self._head_read = True
                    self._pending.clear()
            if complete and self._ends_message:
                self._ends_message = False
                yield position

    def _read_header(self) -> bool:
        """Whether the header is complete; if so, its payload's length is known."""
        header = self._pending
        if len(header) < 2:
            return False
        length = header[1] & 0x7F
        length_bytes = {126: 2, 127: 8}.get(length, 0)
        mask_bytes = 4 if header[1] & 0x80 else 0
        if len(header) < 2 + length_bytes + mask_bytes:
            return False
        self._payload_left = int.from_bytes(header[2 : 2 + length_bytes]) if length_bytes else length
        self._ends_message = bool(header[0] & 0x80) and not header[0] & _CONTROL_OPCODES
        header.clear()
        return True
