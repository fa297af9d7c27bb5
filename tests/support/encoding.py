"""Bytes as manifests carry them."""

import base64


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()
