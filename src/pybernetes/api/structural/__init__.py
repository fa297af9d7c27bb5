"""Schemas of custom resources, and what they do to documents.

    schema       a schema as a tree of places
    pruning      what the schema does not name goes                              prune, then
    defaulting   nulls that mean nothing go, defaults come                       default
    metadata     embedded objects: apiVersion, kind, metadata
    values       types, ranges, patterns, formats, oneOf …: the texts of the 422
    lists        sets and maps among lists name each item once
    ownership    how server-side apply sees it
    rules        which schemas are structural
    publish      as OpenAPI v2 and v3
    kind         all of it together, for one version of one custom resource

Follows: apiextensions-apiserver pkg/apiserver/schema.
"""
