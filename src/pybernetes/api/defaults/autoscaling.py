"""Defaults of autoscalers. Follows: pkg/apis/autoscaling/{v1,v2}/defaults.go."""

from typing import Any

Json = dict[str, Any]


def horizontal_pod_autoscaler(document: Json) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not str(document.get("apiVersion", "")).endswith("/v2"):
        return
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        up = behavior.setdefault("scaleUp", {})
        up.setdefault("stabilizationWindowSeconds", 0)
        up.setdefault("selectPolicy", "Max")
        if not up.get("policies"):
            up["policies"] = [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ]
        down = behavior.setdefault("scaleDown", {})
        down.setdefault("selectPolicy", "Max")
        if not down.get("policies"):
            down["policies"] = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
