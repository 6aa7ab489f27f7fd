"""The fields that deploy/k8s may use, of all that Kubernetes has. A field that is not here is misspelt, is at the wrong place, or
wants to be added on purpose; those that would give a pod more rights (hostNetwork, hostPath, privileged, env from a Secret) stay out."""

ANY = None  # whatever is below
TEXT_MAP = {"*": ANY}
METADATA = {"name": ANY, "namespace": ANY, "labels": TEXT_MAP, "annotations": TEXT_MAP}
SELECTOR = {"matchLabels": TEXT_MAP, "matchExpressions": [{"key": ANY, "operator": ANY, "values": [ANY]}]}

COMMAND = {"command": [ANY]}
PROBE = {"exec": COMMAND, "tcpSocket": {"port": ANY}, "httpGet": {"path": ANY, "port": ANY, "httpHeaders": [{"name": ANY, "value": ANY}]},
         "periodSeconds": ANY, "timeoutSeconds": ANY, "failureThreshold": ANY}
CONTAINER = {
    "name": ANY, "image": ANY, "command": [ANY], "args": [ANY],
    "env": [{"name": ANY, "value": ANY, "valueFrom": {"fieldRef": {"fieldPath": ANY}}}],
    "envFrom": [{"configMapRef": {"name": ANY}}],
    "ports": [{"name": ANY, "containerPort": ANY, "protocol": ANY}],
    "readinessProbe": PROBE, "livenessProbe": PROBE, "lifecycle": {"preStop": {"exec": COMMAND}},
    "resources": {"requests": {"cpu": ANY, "memory": ANY}, "limits": {"memory": ANY}},
    "securityContext": {"allowPrivilegeEscalation": ANY, "readOnlyRootFilesystem": ANY, "capabilities": {"drop": [ANY]}},
    "volumeMounts": [{"name": ANY, "mountPath": ANY, "subPath": ANY, "readOnly": ANY}],
}
VOLUME = {
    "name": ANY, "emptyDir": {"medium": ANY, "sizeLimit": ANY}, "configMap": {"name": ANY},
    "secret": {"secretName": ANY, "defaultMode": ANY},
    "projected": {"defaultMode": ANY, "sources": [{"secret": {"name": ANY}}]},
}
POD = {
    "automountServiceAccountToken": ANY, "enableServiceLinks": ANY, "terminationGracePeriodSeconds": ANY,
    "securityContext": {"runAsNonRoot": ANY, "runAsUser": ANY, "runAsGroup": ANY, "fsGroup": ANY, "seccompProfile": {"type": ANY}},
    "topologySpreadConstraints": [{"maxSkew": ANY, "topologyKey": ANY, "whenUnsatisfiable": ANY, "labelSelector": SELECTOR}],
    "initContainers": [CONTAINER], "containers": [CONTAINER], "volumes": [VOLUME],
}
PEER = {"podSelector": SELECTOR, "namespaceSelector": SELECTOR}
POLICY_PORT = {"port": ANY, "protocol": ANY}

KINDS = {
    ("v1", "Namespace"): {},
    ("v1", "ConfigMap"): {"data": TEXT_MAP},
    ("v1", "Service"): {"spec": {
        "type": ANY, "clusterIP": ANY, "externalTrafficPolicy": ANY, "selector": TEXT_MAP,
        "ports": [{"name": ANY, "port": ANY, "targetPort": ANY, "protocol": ANY}]}},
    ("apps/v1", "Deployment"): {"spec": {
        "replicas": ANY, "minReadySeconds": ANY, "selector": SELECTOR, "strategy": {"type": ANY, "rollingUpdate": {"maxSurge": ANY, "maxUnavailable": ANY}},
        "template": {"metadata": METADATA, "spec": POD}}},
    ("policy/v1", "PodDisruptionBudget"): {"spec": {"maxUnavailable": ANY, "selector": SELECTOR}},
    ("autoscaling/v1", "HorizontalPodAutoscaler"): {"spec": {
        "scaleTargetRef": {"apiVersion": ANY, "kind": ANY, "name": ANY}, "minReplicas": ANY, "maxReplicas": ANY,
        "targetCPUUtilizationPercentage": ANY}},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"spec": {
        "podSelector": SELECTOR, "policyTypes": [ANY], "ingress": [{"from": [PEER], "ports": [POLICY_PORT]}],
        "egress": [{"to": [PEER], "ports": [POLICY_PORT]}]}},
}


def _unknown(value, known, path):
    if known is ANY:
        return
    if isinstance(value, dict) and isinstance(known, dict):
        for name, below in value.items():
            if name not in known and "*" not in known:
                yield "%s.%s: unknown field" % (path, name)
            else:
                yield from _unknown(below, known.get(name, known.get("*")), "%s.%s" % (path, name))
    elif isinstance(value, list) and isinstance(known, list):
        for number, below in enumerate(value):
            yield from _unknown(below, known[0], "%s[%d]" % (path, number))
    else:
        yield "%s: must be %s" % (path, "a list" if isinstance(known, list) else "a map")


def unknown_fields(document):
    """Yields a line for each field of an object that the tables above do not have."""
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind not in KINDS:
        yield "%s %s: unknown kind" % kind
        return
    known = {"apiVersion": ANY, "kind": ANY, "metadata": METADATA, **KINDS[kind]}
    yield from _unknown(document, known, "%s %s" % (kind[1], document["metadata"]["name"]))
