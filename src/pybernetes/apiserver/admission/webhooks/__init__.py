"""Webhooks in the chain of admission: others decide what may be stored, and change it.

    hooks         configurations → an ordered list of webhooks, each with its rules and selectors ready
    matching      which webhooks a request goes to, and in which version
    review        the AdmissionReview sent, and what its answer means
    calls         one webhook asked: dry run, time limit, failure policy, what is counted and noted
    mutating      in series, patches applied, asked again when a later one changed something
    validating    all at once

Follows: apiserver pkg/admission/plugin/webhook.
"""
