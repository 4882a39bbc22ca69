"""Signed manifests of schema 1: their digest is that of what was signed, not that of their bytes.

libtrust's pretty signature (``jsonsign.go``): the signed text is the document up to ``formatLength``, followed by
``formatTail``, both of which stand in the protected header of every signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json


def matches(content: bytes, digest: str) -> bool:
    """Whether the content is a signed manifest whose signed text has the digest."""
    signed = _signed_text(content)
    algorithm, _, encoded = digest.partition(":")
    return signed is not None and hashlib.new(algorithm, signed, usedforsecurity=False).hexdigest() == encoded


def _signed_text(content: bytes) -> bytes | None:
    try:
        signature = json.loads(content)["signatures"][0]
        protected = json.loads(_decode(signature["protected"]))
        length, tail = protected["formatLength"], _decode(protected["formatTail"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return content[:length] + tail if isinstance(length, int) and 0 <= length <= len(content) else None


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from error
