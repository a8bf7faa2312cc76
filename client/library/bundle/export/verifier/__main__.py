"""The reading half of verify.sh: `read` before any signature is checked, `claims` once the quote covers the statement.

Each half writes files for the tools, and for each check one line that says what it found, into a private folder.
Run with `python3 -I`: nothing but the standard library is loaded, and nothing from the folder that is judged. Each half loads what it needs.
"""

import os
import sys

from der import Malformed
from disk import pem, read_file
from documents import read_bundle
from inputs import Inputs, Misused


class Output:
    def __init__(self, folder):
        self.folder = folder
        for name in ("said", "enclaves", "attestation-keys", "path"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)

    def bytes(self, name, content):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(content)

    def text(self, name, line):
        """One line of printable ASCII: whatever a file said, it reaches the terminal as this."""
        safe = "".join(character if " " <= character <= "~" else "?" for character in line)
        self.bytes(name, (safe if len(safe) <= 300 else safe[:297] + "...").encode() + b"\n")

    def pem(self, name, label, der):
        self.bytes(name, pem(label, [der]))

    def said(self, check, outcome, line):
        """True: held, as far as it was looked at here. None: there is nothing to compare with."""
        word = {True: "ok", False: "failed", None: "not-run"}[outcome if outcome is None else bool(outcome)]
        self.text(f"said/{check}", f"{word} {line}")


def read(output, inputs):
    import quote
    from files import differing

    content = read_file(os.path.join(inputs.folder, "bundle.json"), 393216)
    output.bytes("bundle", content)
    for number, source in enumerate([*inputs.sources, f"time {inputs.now}"]):
        output.text(f"inputs.{number}", source)
    try:
        bundle = read_bundle(content)
        wrong = differing(inputs.folder, bundle)
    except Malformed as problem:
        output.said("bundle-shape", False, str(problem))
        return
    if wrong:
        output.said("bundle-shape", False, f"{', '.join(wrong)}: not what bundle.json holds")
        return
    output.said("bundle-shape", True, f"{len(content)} bytes")
    quote.judge(output, bundle, inputs)


def main():
    half, folder, *arguments = sys.argv[1:]
    try:
        inputs, output = Inputs(arguments), Output(folder)
        if half == "read":
            read(output, inputs)
        else:
            import claims

            # What was read before, not what the folder holds by now.
            claims.judge(output, read_bundle(read_file(os.path.join(folder, "bundle"), 393216)), inputs)
    except (Misused, OSError) as problem:
        text = "".join(character if " " <= character <= "~" else "?" for character in str(problem))
        print(f"verify.sh: {text}", file=sys.stderr)
        return 2
    return 0


sys.exit(main())
