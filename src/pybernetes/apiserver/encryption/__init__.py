"""Encryption at rest: what is stored of chosen resources cannot be read without a key.

config.py         EncryptionConfiguration → which providers for which resource       reads a file
transformers.py   bytes as they are stored, byte for byte as upstream stores them     pure but for nonces
salsa.py          XSalsa20-Poly1305, which `cryptography` does not have               pure
storage.py        a store around the store: plain above, encrypted below
"""
