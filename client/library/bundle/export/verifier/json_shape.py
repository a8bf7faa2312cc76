"""Strict JSON (RFC 8259, RFC 7493), and closed shapes to read it by: duplicate and unknown members are refused."""

import base64
import json
import re

from der import Malformed, require

MAX_SAFE = 2**53 - 1


def members(pairs):
    found = dict(pairs)
    require(len(found) == len(pairs), "a member that is there twice")
    return found


def whole_number(text):
    number = int(text)
    require(abs(number) <= MAX_SAFE, "a number that is out of range")
    return number


def real_number(text):
    number = float(text)
    require(abs(number) != float("inf"), "a number that is out of range")
    return int(number) if number.is_integer() and abs(number) <= MAX_SAFE else number


def not_json(text):
    raise Malformed(text + " is not JSON")


def read_json(content, shape, maximum):
    """The value as its shape reads it; Malformed names the member that is wrong."""
    require(len(content) <= maximum, f"more than {maximum} bytes")
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=members, parse_int=whole_number, parse_float=real_number,
            parse_constant=not_json,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Malformed("not strict JSON in UTF-8") from None
    return shape(value, "the document")


def expect(condition, at, what):
    require(condition, f"{at}: {what} is expected")


def text(pattern, maximum, what):
    compiled = re.compile(pattern)

    def shape(value, at):
        expect(isinstance(value, str) and len(value.encode("utf-16-le")) // 2 <= maximum, at, what)
        expect(compiled.fullmatch(value), at, what)
        return value

    return shape


def one_of(*allowed):
    def shape(value, at):
        expect(isinstance(value, str) and value in allowed, at, " or ".join(allowed))
        return value

    return shape


def integer(low, high):
    def shape(value, at):
        expect(type(value) is int and low <= value <= high, at, f"an integer from {low} to {high}")
        return value

    return shape


def boolean(value, at):
    expect(type(value) is bool, at, "true or false")
    return value


def binary(decode, encode):
    """Bytes in one encoding: text that does not come out again the same is refused."""

    def sized(low, high):
        def shape(value, at):
            what = f"bytes, {low} to {high} of them,"
            expect(isinstance(value, str) and len(value) <= 2 * high + 4 and value.isascii(), at, what)
            try:
                content = decode(value)
            except ValueError:
                raise Malformed(f"{at}: {what} are expected") from None
            expect(encode(content) == value and low <= len(content) <= high, at, what)
            return content

        return shape

    return sized


def to_base64url(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def from_base64url(value):
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


base64_bytes = binary(lambda value: base64.b64decode(value, validate=True), lambda content: base64.b64encode(content).decode())
base64url_bytes = binary(from_base64url, to_base64url)


def list_of(item, low, high):
    def shape(value, at):
        expect(isinstance(value, list) and low <= len(value) <= high, at, f"a list of {low} to {high}")
        return [item(each, f"{at}[{index}]") for index, each in enumerate(value)]

    return shape


def closed(required, optional=None):
    shapes = {**required, **(optional or {})}

    def shape(value, at):
        expect(isinstance(value, dict), at, "an object")
        for name in required:
            expect(name in value, at, f"the member {name}")
        for name in value:
            expect(name in shapes, at, "no unknown member")
        return {name: shapes[name](each, f"{at}.{name}") for name, each in value.items()}

    return shape
