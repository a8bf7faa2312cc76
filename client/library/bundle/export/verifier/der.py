"""Strict DER (X.690, section 10). Whatever is not in the one form that DER allows raises Malformed."""

import unicodedata

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED = 1, 2, 3, 4, 5, 6, 10
UTF8, PRINTABLE, IA5, UTC_TIME, GENERALIZED_TIME = 12, 19, 22, 23, 24
SEQUENCE, SET = 0x30, 0x31


class Malformed(Exception):
    """The bytes are not of the form that is expected."""


def require(condition, message):
    if not condition:
        raise Malformed(message)


def element(tag, content):
    """An element: tag, length in its shortest form, content."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def unsigned(magnitude):
    """INTEGER of an unsigned big-endian number."""
    digits = magnitude.lstrip(b"\0") or b"\0"
    return element(INTEGER, b"\0" + digits if digits[0] >= 0x80 else digits)


def control_free(content, maximum, what):
    require(len(content) <= maximum, what + ": a text that is too long")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(what + ": not UTF-8") from None
    require(not any(unicodedata.category(character) == "Cc" for character in text), what + ": control characters")
    return text


def oid_text(content):
    require(0 < len(content) <= 64 and content[-1] < 0x80, "not an object identifier")
    arcs, arc, fresh = [], 0, True
    for byte in content:
        require(not (fresh and byte == 0x80), "an arc that is not minimal")
        arc, fresh = arc << 7 | byte & 0x7F, byte < 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    root = min(arcs[0] // 40, 2)
    return ".".join(str(each) for each in [root, arcs[0] - 40 * root] + arcs[1:])


class Der:
    """Reads elements one after the other."""

    def __init__(self, content):
        self.bytes, self.at = content, 0

    @property
    def done(self):
        return self.at == len(self.bytes)

    def end(self):
        require(self.done, "bytes are left over")

    def next(self, tag):
        return not self.done and self.bytes[self.at] == tag

    def any(self):
        """Tag, content and the whole of the next element."""
        start = self.at
        tag, length = self._byte(), self._byte()
        require(tag & 0x1F != 0x1F, "a tag of more than one byte")
        if length >= 0x80:
            size = length & 0x7F
            require(1 <= size <= 3, "a length that is not DER")
            length = 0
            for _ in range(size):
                length = length << 8 | self._byte()
            require(length >= (0x80 if size == 1 else 1 << 8 * (size - 1)), "a length that is not minimal")
        require(self.at + length <= len(self.bytes), "an element is cut off")
        self.at += length
        return tag, self.bytes[self.at - length : self.at], self.bytes[start : self.at]

    def content(self, tag):
        found, content, _ = self.any()
        require(found == tag, f"tag 0x{tag:02x} is expected")
        return content

    def whole(self, tag):
        found, _, whole = self.any()
        require(found == tag, f"tag 0x{tag:02x} is expected")
        return whole

    def inside(self, tag):
        return Der(self.content(tag))

    def sequence(self):
        return self.inside(SEQUENCE)

    def true_by_default_false(self):
        """BOOLEAN DEFAULT FALSE: there only when it is TRUE."""
        if not self.next(BOOLEAN):
            return False
        require(self.content(BOOLEAN) == b"\xff", "a BOOLEAN that is not written as DER does")
        return True

    def integer(self, maximum=32):
        content = self.content(INTEGER)
        minimal(content, maximum)
        return content

    def small(self, tag=INTEGER):
        """A non-negative number below 2^31."""
        content = self.content(tag)
        minimal(content, 4)
        require(content[0] < 0x80, "a negative number")
        return int.from_bytes(content, "big")

    def oid(self):
        return oid_text(self.content(OID))

    def utf8(self, maximum, what):
        return control_free(self.content(UTF8), maximum, what)

    def bit_string(self):
        content = self.content(BIT_STRING)
        require(content[:1] == b"\0", "a BIT STRING of whole bytes is expected")
        return content[1:]

    def named_bits(self):
        """Numbers of the bits that are set; the list has no trailing zero bits."""
        content = self.content(BIT_STRING)
        require(content, "an empty BIT STRING")
        unused, bits = content[0], content[1:]
        if not bits:
            require(unused == 0, "not the shortest list of bits")
            return []
        require(unused <= 7 and bits[-1] & (1 << unused) - 1 == 0 and bits[-1] >> unused & 1, "not the shortest list of bits")
        return [bit for bit in range(8 * len(bits)) if bits[bit // 8] >> (7 - bit % 8) & 1]

    def _byte(self):
        require(self.at < len(self.bytes), "an element is cut off")
        self.at += 1
        return self.bytes[self.at - 1]


def minimal(content, maximum):
    require(0 < len(content), "an empty INTEGER")
    padded = len(content) > 1 and (content[0] == 0 and content[1] < 0x80 or content[0] == 0xFF and content[1] >= 0x80)
    require(not padded, "an INTEGER that is not minimal")
    require(len(content) <= maximum, "an INTEGER that is too long")
