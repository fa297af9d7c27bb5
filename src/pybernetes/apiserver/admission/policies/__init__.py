"""Admission policies: expressions stored in the cluster decide what may be stored, and change it.

    definitions    policies and bindings as the plugins need them: compiled, rules and selectors ready
    params         the objects a binding names for its policy's expressions
    matching       which policies, bindings and params a request meets
    validating     ValidatingAdmissionPolicy: deny, warn, audit
    mutating       MutatingAdmissionPolicy: apply configurations and JSON patches

Follows: apiserver pkg/admission/plugin/policy.
"""
