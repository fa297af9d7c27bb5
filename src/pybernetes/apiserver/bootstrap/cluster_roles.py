"""The ClusterRoles of users, components and nodes that every cluster has, with their bindings.

Differs: rules for the group `extensions`, which no server has served since 1.22, are left out.

Follows: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go; kubeadm's cluster role bindings.
"""

from pybernetes.apiserver.bootstrap.notation import Json, aggregated_role, binding, cluster_role

_TO = "rbac.authorization.k8s.io/aggregate-to-"

ADMIN = """
create authorization.k8s.io localsubjectaccessreviews
read,change rbac.authorization.k8s.io roles,rolebindings
"""
EDIT = """
read core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy
impersonate core serviceaccounts
change core pods+attach+exec+portforward+proxy
create core pods/eviction
change core configmaps,events,persistentvolumeclaims,replicationcontrollers+scale,secrets,
    serviceaccounts,services+proxy
create core serviceaccounts/token
change apps daemonsets,deployments+rollback+scale,replicasets+scale,statefulsets+scale
change autoscaling horizontalpodautoscalers
change batch cronjobs,jobs
change policy poddisruptionbudgets
change networking.k8s.io ingresses,networkpolicies
read,change coordination.k8s.io leases
change resource.k8s.io resourceclaims,resourceclaimtemplates
"""
VIEW = """
read core configmaps,endpoints,persistentvolumeclaims+status,pods,replicationcontrollers+scale,
    serviceaccounts,services+status
read core bindings,events,limitranges,namespaces/status,pods/log,pods/status,
    replicationcontrollers/status,resourcequotas+status
read core namespaces
read discovery.k8s.io endpointslices
read apps controllerrevisions,daemonsets+status,deployments+scale+status,replicasets+scale+status,
    statefulsets+scale+status
read autoscaling horizontalpodautoscalers+status
read batch cronjobs+status,jobs+status
read policy poddisruptionbudgets+status
read networking.k8s.io ingresses+status,networkpolicies
read resource.k8s.io resourceclaims+status,resourceclaimtemplates
"""
NODE = """
create authentication.k8s.io tokenreviews
create authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews
read core services
create,read core nodes
patch,update core nodes/status
patch,update core nodes
create,patch,update core events
read core pods
create,delete core pods
patch,update core pods/status
create core pods/eviction
read core configmaps,secrets
get core persistentvolumeclaims,persistentvolumes
get core endpoints
create,read certificates.k8s.io certificatesigningrequests
create,delete,get,patch,update coordination.k8s.io leases
get storage.k8s.io volumeattachments
create core serviceaccounts/token
get,patch,update core persistentvolumeclaims/status
read storage.k8s.io csidrivers
create,delete,get,patch,update storage.k8s.io csinodes
read node.k8s.io runtimeclasses
get resource.k8s.io resourceclaims
read,create,delete,deletecollection,patch,update resource.k8s.io resourceslices
"""
_DELEGATED_AUTH = """
create authentication.k8s.io tokenreviews
create authorization.k8s.io subjectaccessreviews
"""
CONTROLLER_MANAGER = f"""
events
create coordination.k8s.io leases
get,update coordination.k8s.io leases [kube-controller-manager]
create core secrets,serviceaccounts
delete core secrets
get core configmaps,namespaces,secrets,serviceaccounts
update core secrets,serviceaccounts
{_DELEGATED_AUTH}
list,watch * *
create core serviceaccounts/token
"""
SCHEDULER = f"""
events
create coordination.k8s.io leases
get,list,update,watch coordination.k8s.io leases
get,update coordination.k8s.io leases [kube-scheduler]
create,delete,deletecollection,read,patch,update coordination.k8s.io leasecandidates
read core nodes
delete,read core pods
create core bindings,pods/binding
patch,update core pods/status
read core replicationcontrollers,services
read apps replicasets
read apps statefulsets
read policy poddisruptionbudgets
read core persistentvolumeclaims,persistentvolumes
{_DELEGATED_AUTH}
read storage.k8s.io csinodes
read core namespaces
read storage.k8s.io csidrivers
read storage.k8s.io csistoragecapacities
read storage.k8s.io volumeattachments
read resource.k8s.io deviceclasses,devicetaintrules,resourceslices
read,patch,update resource.k8s.io resourceclaims
patch,update resource.k8s.io resourceclaims/status
patch,update core pods/finalizers
read scheduling.k8s.io podgroups,workloads
"""
_APPROVER = "system:certificates.k8s.io:"
_INFO = "/healthz,/livez,/readyz,/version,/version/"


def roles() -> list[Json]:
    """All ClusterRoles that are not those of single controllers."""
    found = [
        cluster_role("cluster-admin", "* * *\n* url *"),
        aggregated_role("admin", f"{_TO}admin"),
        aggregated_role("edit", f"{_TO}edit", {f"{_TO}admin": "true"}),
        aggregated_role("view", f"{_TO}view", {f"{_TO}edit": "true"}),
        cluster_role("system:aggregate-to-admin", ADMIN, {f"{_TO}admin": "true"}),
        cluster_role("system:aggregate-to-edit", EDIT, {f"{_TO}edit": "true"}),
        cluster_role("system:aggregate-to-view", VIEW, {f"{_TO}view": "true"}),
        cluster_role("system:discovery", f"get url /api,/api/*,/apis,/apis/*,/openapi,/openapi/*,{_INFO}"),
        cluster_role("system:public-info-viewer", f"get url {_INFO}"),
        cluster_role(
            "system:monitoring",
            "get url /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*",
        ),
        cluster_role(
            "system:basic-user",
            "create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews\n"
            "create authentication.k8s.io selfsubjectreviews",
        ),
        cluster_role("system:node", NODE),
        cluster_role(
            "system:node-proxier",
            "list,watch core endpoints,services\nread core nodes\nevents\nlist,watch discovery.k8s.io endpointslices\n"
            "list,watch networking.k8s.io servicecidrs",
        ),
        cluster_role("system:node-bootstrapper", "create,read certificates.k8s.io certificatesigningrequests"),
        cluster_role("system:node-problem-detector", "get core nodes\npatch core nodes/status\nevents"),
        cluster_role("system:auth-delegator", _DELEGATED_AUTH),
        cluster_role("system:kube-aggregator", "read core endpoints,services"),
        cluster_role("system:kube-controller-manager", CONTROLLER_MANAGER),
        cluster_role("system:kube-scheduler", SCHEDULER),
        cluster_role(
            "system:volume-scheduler",
            "read,patch,update core persistentvolumes\nread storage.k8s.io storageclasses\n"
            "read,patch,update core persistentvolumeclaims",
        ),
        cluster_role("system:kube-dns", "list,watch core endpoints,services"),
        cluster_role("system:heapster", "read core events,namespaces,nodes,pods\nread apps deployments"),
        cluster_role(
            "system:kubelet-api-admin",
            "read core nodes\nproxy core nodes\n"
            "* core nodes/configz,nodes/healthz,nodes/log,nodes/metrics,nodes/pods,nodes/proxy,nodes/stats",
        ),
        cluster_role(
            "system:persistent-volume-provisioner",
            "create,delete,read core persistentvolumes\nread,update core persistentvolumeclaims\n"
            "read storage.k8s.io storageclasses\nwatch core events\nevents",
        ),
        cluster_role(
            "system:service-account-issuer-discovery",
            "get url /.well-known/openid-configuration,/.well-known/openid-configuration/,"
            "/openid/v1/jwks,/openid/v1/jwks/",
        ),
    ]
    for signer in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown"):
        text = f"approve certificates.k8s.io signers [kubernetes.io/{signer}]"
        found.append(cluster_role(f"{_APPROVER}{signer}-approver", text))
    for kind in ("nodeclient", "selfnodeclient"):
        text = f"create certificates.k8s.io certificatesigningrequests/{kind}"
        found.append(cluster_role(f"{_APPROVER}certificatesigningrequests:{kind}", text))
    # Ours masquerades what leaves the pod network by pod, so it must see them; upstream's looks at ranges only.
    found.append(cluster_role("pybernetes:node-proxier", "list,watch core pods"))
    return found


_NODE_TOKEN = "Group:system:bootstrappers:kubeadm:default-node-token"  # noqa: S105 - a group, not a token


def bindings() -> list[Json]:
    """All ClusterRoleBindings that are not those of single controllers."""
    everybody = ("Group:system:authenticated", "Group:system:unauthenticated")
    return [
        binding("cluster-admin", "cluster-admin", "Group:system:masters"),
        binding("system:monitoring", "system:monitoring", "Group:system:monitoring"),
        binding("system:discovery", "system:discovery", "Group:system:authenticated"),
        binding("system:basic-user", "system:basic-user", "Group:system:authenticated"),
        binding("system:public-info-viewer", "system:public-info-viewer", *everybody),
        binding("system:node", "system:node"),
        binding("system:node-proxier", "system:node-proxier", "User:system:kube-proxy"),
        binding("pybernetes:node-proxier", "pybernetes:node-proxier", "User:system:kube-proxy"),
        binding(
            "system:kube-controller-manager", "system:kube-controller-manager", "User:system:kube-controller-manager"
        ),
        binding("system:kube-scheduler", "system:kube-scheduler", "User:system:kube-scheduler"),
        binding("system:volume-scheduler", "system:volume-scheduler", "User:system:kube-scheduler"),
        binding("system:kube-dns", "system:kube-dns", "ServiceAccount:kube-system/kube-dns"),
        binding(
            "system:service-account-issuer-discovery",
            "system:service-account-issuer-discovery",
            "Group:system:serviceaccounts",
        ),
        binding("kubeadm:cluster-admins", "cluster-admin", "Group:kubeadm:cluster-admins"),
        binding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", _NODE_TOKEN),
        binding("kubeadm:node-autoapprove-bootstrap", f"{_APPROVER}certificatesigningrequests:nodeclient", _NODE_TOKEN),
        binding(
            "kubeadm:node-autoapprove-certificate-rotation",
            f"{_APPROVER}certificatesigningrequests:selfnodeclient",
            "Group:system:nodes",
        ),
    ]
