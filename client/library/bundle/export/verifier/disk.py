"""Files as they are read, bounded, and the text forms of bytes."""

import base64
import os
import stat


def read_file(path, maximum):
    """A regular file of at most so many bytes; nothing that could block or never end is opened."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        content = file.read(maximum + 1)
    if len(content) > maximum:
        raise OSError(f"{path} is over {maximum} bytes")
    return content


def base64_text(content):
    return base64.b64encode(content).decode()


def pem(label, chain):
    blocks = []
    for der in chain:
        text = base64_text(der)
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        blocks.append("\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]))
    return "".join(blocks).encode()
