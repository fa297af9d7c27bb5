"""Streams between a client and a process on a node: SPDY, WebSocket, and carrying one in the other."""
