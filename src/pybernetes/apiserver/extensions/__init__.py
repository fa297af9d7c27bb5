"""Custom resources: from CustomResourceDefinitions to resources that are served.

    names          whose names are accepted                                   pure
    conditions     what a definition's status says                            pure
    served         which resources a definition makes                         pure
    lens           how stored objects look in a version: pruned, defaulted, converted
    conversion     asking a webhook to convert
    owner          the one who watches definitions and changes scheme and status
    cleanup        what becomes of the objects of a definition that goes

Schemas and what they do to documents: `api.structural`.
"""
