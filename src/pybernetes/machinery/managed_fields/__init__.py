"""Server-side apply: who owns which field of an object, and what happens when several care about the same one.

`sets` are field sets, `plans` say how places are owned, `compare` relates documents and sets, `managers` decides.
`api.field_ownership` binds it to resources.
"""
