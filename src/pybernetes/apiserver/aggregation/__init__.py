"""Groups that other servers answer for, and the APIService objects of all groups.

    services       what an APIService says: priorities, conditions, where the server behind it is        (pure)
    remotes        which groups and versions are somebody else's; the way there, with headers and certificates
    aggregator     follows the APIService objects, registers our own groups, asks whether the others answer

Follows: kube-aggregator pkg/apiserver, pkg/controllers; kubernetes pkg/controlplane/apiserver/aggregator.go.
"""
