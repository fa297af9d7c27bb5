"""What each controller may do: one ClusterRole `system:controller:NAME` each, bound to its ServiceAccount.

Differs: the roles are also bound to `system:kube-controller-manager`, because our control loops share that identity;
an upstream controller manager with a ServiceAccount per controller finds what it needs, too.

Follows: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go.
"""

from pybernetes.apiserver.bootstrap.notation import Json, binding, cluster_role

PREFIX = "system:controller:"
SHARED = "User:system:kube-controller-manager"

CONTROLLERS: dict[str, str] = {
    "attachdetach-controller": """
        list,watch core persistentvolumeclaims,persistentvolumes
        read core nodes
        patch,update core nodes/status
        list,watch core pods
        events
        create,delete,read storage.k8s.io volumeattachments
        read storage.k8s.io csidrivers,csinodes""",
    "certificate-controller": """
        delete,read certificates.k8s.io certificatesigningrequests
        update certificates.k8s.io certificatesigningrequests/approval,certificatesigningrequests/status
        approve certificates.k8s.io signers [kubernetes.io/kube-apiserver-client-kubelet]
        sign certificates.k8s.io signers [kubernetes.io/kube-apiserver-client,
            kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown]
        create authorization.k8s.io subjectaccessreviews
        events""",
    "clusterrole-aggregation-controller": """
        escalate,read,patch,update rbac.authorization.k8s.io clusterroles""",
    "cronjob-controller": """
        read,update batch cronjobs
        create,delete,read,patch,update batch jobs
        update batch cronjobs/status,cronjobs/finalizers
        delete,list,watch core pods
        events""",
    "daemon-set-controller": """
        read apps daemonsets
        update apps daemonsets/status,daemonsets/finalizers
        list,watch core nodes
        create,delete,list,patch,watch core pods
        create core pods/binding
        create,delete,read,patch,update apps controllerrevisions
        events""",
    "deployment-controller": """
        read,update apps deployments
        update apps deployments/status,deployments/finalizers
        create,delete,read,patch,update apps replicasets
        read,update core pods
        events""",
    "device-taint-eviction-controller": """
        delete,read core pods
        patch,update core pods/status
        read resource.k8s.io deviceclasses,devicetaintrules,resourceclaims,resourceslices
        patch,update resource.k8s.io devicetaintrules/status
        events""",
    "disruption-controller": """
        read apps deployments,replicasets
        read core replicationcontrollers
        read policy poddisruptionbudgets
        read apps statefulsets
        update policy poddisruptionbudgets/status
        patch,update core pods/status
        get * */scale
        events""",
    "endpoint-controller": """
        read core pods,services
        create,delete,read,update core endpoints
        create core endpoints/restricted
        events""",
    "endpointslice-controller": """
        read core nodes,pods,services
        update core services/finalizers
        create,delete,read,update discovery.k8s.io endpointslices
        events""",
    "endpointslicemirroring-controller": """
        read core endpoints,services
        update core services/finalizers,endpoints/finalizers
        create,delete,read,update discovery.k8s.io endpointslices
        events""",
    "ephemeral-volume-controller": """
        read core pods
        update core pods/finalizers
        create,read core persistentvolumeclaims
        events""",
    "expand-controller": """
        read,patch,update core persistentvolumes
        patch,update core persistentvolumeclaims/status
        read core persistentvolumeclaims
        events""",
    "generic-garbage-collector": """
        delete,read,patch,update * *
        events""",
    "horizontal-pod-autoscaler": """
        read autoscaling horizontalpodautoscalers
        update autoscaling horizontalpodautoscalers/status
        get,update * */scale
        list,watch core pods
        list,watch metrics.k8s.io pods
        read custom.metrics.k8s.io,external.metrics.k8s.io *
        events""",
    "job-controller": """
        read,patch,update batch jobs
        update batch jobs/status,jobs/finalizers
        create,delete,list,patch,watch core pods
        events""",
    "legacy-service-account-token-cleaner": """
        get core configmaps [kube-apiserver-legacy-service-account-token-tracking]
        delete,patch core secrets""",
    "namespace-controller": """
        delete,read core namespaces
        update core namespaces/finalize,namespaces/status
        delete,deletecollection,read * *""",
    "node-controller": """
        delete,read,patch,update core nodes
        patch,update core nodes/status
        patch,update core pods/status
        delete,read core pods
        read networking.k8s.io clustercidrs
        events""",
    "persistent-volume-binder": """
        create,delete,read,update core persistentvolumes
        update core persistentvolumes/status
        read,update core persistentvolumeclaims
        update core persistentvolumeclaims/status
        create,delete,read core pods
        read storage.k8s.io storageclasses
        list,watch core nodes
        watch core events
        events""",
    "pod-garbage-collector": """
        delete,list,watch core pods
        read core nodes
        patch core pods/status""",
    "pv-protection-controller": """
        read,update core persistentvolumes
        events""",
    "pvc-protection-controller": """
        read,update core persistentvolumeclaims
        update core persistentvolumeclaims/status
        read core pods
        events""",
    "replicaset-controller": """
        read,update apps replicasets
        update apps replicasets/status,replicasets/finalizers
        create,delete,list,patch,watch core pods
        events""",
    "replication-controller": """
        read,update core replicationcontrollers
        update core replicationcontrollers/status,replicationcontrollers/finalizers
        create,delete,list,patch,watch core pods
        events""",
    "resource-claim-controller": """
        read core pods
        update core pods/finalizers
        create,delete,read resource.k8s.io resourceclaims
        patch,update resource.k8s.io resourceclaims,resourceclaims/status,resourceclaims/binding
        patch,update core pods/status
        events""",
    "resourcequota-controller": """
        list,watch * *
        update core resourcequotas/status
        events""",
    "root-ca-cert-publisher": """
        create,update core configmaps
        events""",
    "route-controller": """
        list,watch core nodes
        patch core nodes/status
        events""",
    "selinux-warning-controller": """
        events
        read core persistentvolumes,persistentvolumeclaims,pods
        read storage.k8s.io csidrivers""",
    "service-account-controller": """
        create core serviceaccounts
        events""",
    "service-cidrs-controller": """
        read,patch,update networking.k8s.io servicecidrs
        patch,update networking.k8s.io servicecidrs/finalizers,servicecidrs/status
        read networking.k8s.io ipaddresses
        events""",
    "service-controller": """
        read core services
        patch,update core services/status
        list,watch core nodes
        events""",
    "statefulset-controller": """
        create,delete,read,patch,update core pods
        read apps statefulsets
        update apps statefulsets/status,statefulsets/finalizers
        create,delete,read,patch,update apps controllerrevisions
        create,read,delete,update core persistentvolumeclaims
        update core pods/finalizers
        events""",
    "ttl-after-finished-controller": """
        delete,read batch jobs
        events""",
    "ttl-controller": """
        list,patch,update,watch core nodes
        events""",
    "validatingadmissionpolicy-status-controller": """
        read admissionregistration.k8s.io validatingadmissionpolicies
        get,patch,update admissionregistration.k8s.io validatingadmissionpolicies/status
        events""",
    "volumeattributesclass-protection-controller": """
        read core persistentvolumeclaims,persistentvolumes
        read,update storage.k8s.io volumeattributesclasses
        events""",
}


def roles() -> list[Json]:
    return [cluster_role(f"{PREFIX}{name}", text) for name, text in CONTROLLERS.items()]


def bindings() -> list[Json]:
    return [
        binding(f"{PREFIX}{name}", f"{PREFIX}{name}", f"ServiceAccount:kube-system/{name}", SHARED)
        for name in CONTROLLERS
    ]
