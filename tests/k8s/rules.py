"""What the manifests of deploy/k8s must fulfil, besides the types of Kubernetes. Each rule yields a line for each thing that is wrong."""
import re

import fields
from manifests import matches

OTHERS = {"hospital": ("rpc", "events"), "booking": ("rpc", "events"), "history": ("rpc",)}
CONFINED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
RESOLVED_WITHIN_S = 5  # `hold valid` in deploy/wires/haproxy.cfg, and some time to connect
SECRET_TEXT = re.compile(r"PRIVATE KEY|\"d\"\s*:|://[^/@\s]*:[^/@\s]+@|password=")
MADE_BY_OPERATORS = ("screening-public", "front", "hospital-svc", "booking-svc", "history-svc", "gateway-svc", "hospital-svc-database",
                     "booking-svc-database", "history-svc-database")


def has_known_fields(manifests):
    for document in manifests.documents:
        yield from fields.unknown_fields(document)


def is_in_its_namespace(manifests):
    names = {document["metadata"]["name"] for document in manifests.of("Namespace")}
    for document in manifests.documents:
        if document["kind"] != "Namespace" and document["metadata"].get("namespace") not in names:
            yield "%s %s: is in no namespace of these manifests" % (document["kind"], document["metadata"]["name"])


# ---- selectors and ports

def selects_something(manifests):
    for pod in manifests.pods:
        if not matches(pod.deployment["spec"]["selector"], pod.labels):
            yield "%s: its selector does not match its pods" % pod.where
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            if not matches(constraint["labelSelector"], pod.labels):
                yield "%s: topologySpreadConstraints do not match its pods" % pod.where
    for kind, selector_of in (("Service", lambda spec: {"matchLabels": spec["selector"]}), ("PodDisruptionBudget", lambda spec: spec["selector"]),
                              ("NetworkPolicy", lambda spec: spec["podSelector"])):
        for document in manifests.of(kind):
            if not manifests.selected(selector_of(document["spec"])):
                yield "%s %s: selects no pod" % (kind, document["metadata"]["name"])
    for policy in manifests.of("NetworkPolicy"):
        for peer in peers(policy):
            if "namespaceSelector" not in peer and not manifests.selected(peer["podSelector"]):
                yield "NetworkPolicy %s: a peer selects no pod" % policy["metadata"]["name"]
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if not any(pod.name == target["name"] and target["kind"] == "Deployment" for pod in manifests.pods):
            yield "HorizontalPodAutoscaler %s: scales nothing" % scaler["metadata"]["name"]


def peers(policy):
    return [peer for rule in policy["spec"].get("ingress", []) for peer in rule.get("from", [])] + [
        peer for rule in policy["spec"].get("egress", []) for peer in rule.get("to", [])]


def names_ports_that_exist(manifests):
    for service in manifests.of("Service"):
        for port in service["spec"]["ports"]:
            for pod in manifests.selected({"matchLabels": service["spec"]["selector"]}):
                if pod.port(port.get("targetPort", port["port"])) is None:
                    yield "Service %s: %s has no port %s" % (service["metadata"]["name"], pod.where, port.get("targetPort", port["port"]))
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        ways = [(rule, manifests.selected(spec["podSelector"])) for rule in spec.get("ingress", [])]
        ways += [(rule, [pod for peer in rule["to"] for pod in manifests.selected(peer["podSelector"])])
                 for rule in spec.get("egress", []) if all("namespaceSelector" not in peer for peer in rule.get("to", [])) and "to" in rule]
        for rule, pods in ways:
            for port in rule.get("ports", []):
                if all(pod.port(port["port"]) is None for pod in pods):
                    yield "NetworkPolicy %s: nothing has the port %s" % (policy["metadata"]["name"], port["port"])
    for pod in manifests.pods:
        for container in pod.containers:
            for probe in ("readinessProbe", "livenessProbe"):
                asked = container.spec.get(probe, {})
                port = (asked.get("tcpSocket") or asked.get("httpGet") or {}).get("port")
                if port is not None and port not in container.ports and port not in container.ports.values():
                    yield "%s: %s asks port %s, which it has not" % (container.where, probe, port)


def listens_at_its_ports(manifests):
    for pod in manifests.pods:
        for container in pod.containers:
            names = {"wires": ("WIRES_RPC", "WIRES_EVENTS", "WIRES_CLIENTS"), "front": ("FRONT_HTTP", "FRONT_TLS")}.get(container.program, ())
            listens = {int(container.environment[name].rpartition(":")[2]) for name in names if name in container.environment}
            if listens != set(container.ports.values()):
                yield "%s: listens at %s, but has the ports %s" % (container.where, sorted(listens), sorted(container.ports.values()))


def asks_ops_ports(manifests):
    """screening-ask PORT PATH must ask a port where a container of the pod listens."""
    for pod in manifests.pods:
        ops = {(container.flag("ops-listen") or "").rpartition(":")[2] for container in pod.containers}
        for container in pod.containers:
            commands = [container.spec.get(probe, {}).get("exec", {}).get("command", []) for probe in ("readinessProbe", "livenessProbe")]
            commands.append(container.spec.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", []))
            for command in commands:
                for port in re.findall(r"screening-ask (\d+)", " ".join(command)):
                    if port not in ops:
                        yield "%s: asks port %s, where no --ops-listen is" % (container.where, port)


# ---- the way from service to service

def door_sockets(door):
    """Returns the sockets that a wire door opens for its service, and the addresses of other doors behind them."""
    sockets, count = {}, int(door.environment["WIRES_REPLICAS"])
    for other, kinds in OTHERS.items():
        for kind in kinds:
            address = door.environment.get("WIRES_%s_%s" % (other.upper(), kind.upper()))
            for number in range(1, count + 1) if address else ():
                sockets["%s/%s.%s.%d" % (door.environment["WIRES_FOLDER"], other, kind, number)] = address
    return sockets


def connects_service_and_door(manifests):
    for pod in manifests.pods:
        service, door = pod.container(pod.name), pod.container("wires")
        if service is None or door is None or door.environment.get("WIRES_SERVICE") != pod.name:
            yield "%s: must have the containers %s and wires, with WIRES_SERVICE=%s" % (pod.where, pod.name, pod.name)
            continue
        used = {"%s-%s" % (other, kind): service.flag("%s-%s" % (other, kind)) for other, kinds in OTHERS.items() for kind in kinds}
        called = {part.replace("ipc://", "", 1) for value in used.values() if value for part in value.split(",")}
        opened = set(door_sockets(door))
        if called != opened:
            yield "%s: the door does not open %s, and the service does not call %s" % (pod.where, sorted(called - opened), sorted(opened - called))
        for setting, flag in (("WIRES_TO_RPC", "rpc-listen"), ("WIRES_TO_EVENTS", "events-listen"), ("WIRES_TO_GATEWAY", "gateway-listen")):
            if door.environment.get(setting) != (service.flag(flag) or "ipc://").partition("ipc://")[2] and (setting in door.environment or service.flag(flag)):
                yield "%s: %s is not --%s" % (pod.where, setting, flag)
        front = pod.container("front")
        if front and front.environment.get("FRONT_GATEWAY", "").replace("unix@", "unix:", 1) != service.flag("http-listen"):
            yield "%s: FRONT_GATEWAY is not --http-listen" % pod.where


def doors_find_each_other(manifests):
    for pod in manifests.pods:
        door = pod.container("wires")
        for address in sorted(set(door_sockets(door).values())) if door else ():
            host, _, port = address.rpartition(":")
            service = next((one for one in manifests.of("Service")
                            if "%s.%s.svc.cluster.local" % (one["metadata"]["name"], pod.namespace) == host), None)
            ports = {str(one["port"]): one["targetPort"] for one in service["spec"]["ports"]} if service else {}
            if port not in ports or service["spec"].get("clusterIP") != "None":
                yield "%s: %s is no port of a headless Service" % (door.where, address)
                continue
            for callee in manifests.selected({"matchLabels": service["spec"]["selector"]}):
                number = callee.port(ports[port])
                if str(number) != port:
                    yield "%s: %s leads to port %s: a headless Service does not translate ports" % (door.where, address, number)
                if not is_allowed(manifests, pod, callee, number):
                    yield "%s: no NetworkPolicy allows the way to %s" % (door.where, address)
                count = callee.deployment["spec"].get("replicas", 1)
                if count != int(door.environment["WIRES_REPLICAS"]):
                    yield "%s: WIRES_REPLICAS=%s, but there are %d of %s" % (door.where, door.environment["WIRES_REPLICAS"], count, callee.name)


def is_allowed(manifests, caller, callee, number):
    def allows(side, pod, way, other):
        for policy in manifests.of("NetworkPolicy"):
            if not matches(policy["spec"]["podSelector"], pod.labels):
                continue
            for rule in policy["spec"].get(side, []):
                if any(callee.port(port["port"]) == number for port in rule.get("ports", [])) and any(
                        "namespaceSelector" not in peer and matches(peer["podSelector"], other.labels) for peer in rule.get(way, [])):
                    return True
        return False
    return allows("egress", caller, "to", callee) and allows("ingress", callee, "from", caller)


# ---- what pods may do

def is_confined(manifests):
    for pod in manifests.pods:
        own = pod.spec.get("securityContext", {})
        if own.get("runAsNonRoot") is not True or not own.get("runAsUser") or own.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield "%s: must not run as root, and with the seccomp profile RuntimeDefault" % pod.where
        if pod.spec.get("automountServiceAccountToken") is not False or pod.spec.get("enableServiceLinks") is not False:
            yield "%s: must have neither a token of the API server nor variables of Services" % pod.where
        for container in pod.first + pod.containers:
            if container.spec.get("securityContext") != CONFINED:
                yield "%s: must have a read-only root, no capabilities and no way to more rights" % container.where
            resources = container.spec.get("resources", {})
            if set(resources.get("requests", {})) != {"cpu", "memory"} or "memory" not in resources.get("limits", {}):
                yield "%s: must request cpu and memory, and limit memory" % container.where
    if not any(policy["spec"]["podSelector"] == {} and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"} and
               "ingress" not in policy["spec"] and "egress" not in policy["spec"] for policy in manifests.of("NetworkPolicy")):
        yield "NetworkPolicy: none forbids what the others do not allow"


def needs_no_insecure(manifests):
    for pod in manifests.pods:
        for container in pod.containers:
            if any(argument.startswith("--insecure") for argument in container.arguments) or "SCREENING_INSECURE" in container.environment:
                yield "%s: --insecure" % container.where


def keeps_cleartext_in_the_cluster(manifests):
    """Who reaches a front door from beyond the cluster reaches only its port for TLS."""
    for service in manifests.of("Service"):
        spec = service["spec"]
        if spec.get("type", "ClusterIP") == "ClusterIP":
            continue
        for pod in manifests.selected({"matchLabels": spec["selector"]}):
            clear = {int(container.environment["FRONT_HTTP"].rpartition(":")[2]) for container in pod.containers
                     if "FRONT_HTTP" in container.environment}
            if clear & {pod.port(port.get("targetPort", port["port"])) for port in spec["ports"]}:
                yield "Service %s: shows the port for cleartext beyond the cluster" % service["metadata"]["name"]
            for policy in manifests.of("NetworkPolicy"):
                open_rules = [rule for rule in policy["spec"].get("ingress", []) if "from" not in rule]
                if matches(policy["spec"]["podSelector"], pod.labels) and any(
                        "ports" not in rule or clear & {pod.port(port["port"]) for port in rule["ports"]} for rule in open_rules):
                    yield "NetworkPolicy %s: lets everyone reach the port for cleartext" % policy["metadata"]["name"]


def has_no_secrets(manifests):
    for document in manifests.documents:
        if document["kind"] == "Secret":
            yield "Secret %s: must not be in the repository" % document["metadata"]["name"]
        if SECRET_TEXT.search(str(document)):
            yield "%s %s: has a password or a key" % (document["kind"], document["metadata"]["name"])


# ---- how pods are replaced

def is_replaced_without_a_gap(manifests):
    for pod in manifests.pods:
        strategy = pod.deployment["spec"].get("strategy")
        if strategy != {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}:
            yield "%s: must have maxSurge 1 and maxUnavailable 0" % pod.where
        if pod.deployment["spec"].get("minReadySeconds", 0) < RESOLVED_WITHIN_S:
            yield "%s: must have minReadySeconds of at least %d, in which the doors find a new replica" % (pod.where, RESOLVED_WITHIN_S)
        service = pod.container(pod.name)
        for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
            if service and path not in service.spec.get(probe, {}).get("exec", {}).get("command", []):
                yield "%s: its %s must ask %s" % (service.where, probe, path)
        for container in pod.containers:
            if container.program in ("wires", "front") and "preStop" not in container.spec.get("lifecycle", {}):
                yield "%s: must have a preStop" % container.where
        if not any(matches(budget["spec"]["selector"], pod.labels) for budget in manifests.of("PodDisruptionBudget")):
            yield "%s: has no PodDisruptionBudget" % pod.where
    scaled = sorted(scaler["spec"]["scaleTargetRef"]["name"] for scaler in manifests.of("HorizontalPodAutoscaler"))
    if scaled != ["gateway-svc"]:
        yield "HorizontalPodAutoscaler: must be for gateway-svc alone, because the others are bound by their database, but is for %s" % scaled


# ---- what is mounted

def refers_to_what_exists(manifests):
    config_maps = {document["metadata"]["name"] for document in manifests.of("ConfigMap")}
    for pod in manifests.pods:
        for container in pod.first + pod.containers:
            for source in container.spec.get("envFrom", []):
                if source["configMapRef"]["name"] not in config_maps:
                    yield "%s: there is no ConfigMap %s" % (container.where, source["configMapRef"]["name"])
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
        mounted = {mount["name"] for container in pod.first + pod.containers for mount in container.spec.get("volumeMounts", [])}
        if mounted != set(volumes):
            yield "%s: mounts %s, but has the volumes %s" % (pod.where, sorted(mounted), sorted(volumes))
        names = [name for volume in volumes.values() for name in (
            volume.get("secret", {}).get("secretName"), volume.get("configMap", {}).get("name"),
            *(source["secret"]["name"] for source in volume.get("projected", {}).get("sources", [])))]
        for name in sorted(set(names) - {None, *config_maps, *MADE_BY_OPERATORS}):
            yield "%s: nobody makes %s (docs/kubernetes.md)" % (pod.where, name)


def mounts_keys_where_needed(manifests):
    """A service and its wire door use the keys in the volume `run`. Another container of the pod may see only the sockets there."""
    for pod in manifests.pods:
        for container in pod.containers:
            if container.name in (pod.name, "wires"):
                continue
            for mount in container.spec.get("volumeMounts", []):
                if mount["name"] == "secrets" or (mount["name"] == "run" and mount.get("subPath") != "sockets"):
                    yield "%s: sees the keys of %s in the volume %s" % (container.where, pod.name, mount["name"])


RULES = (has_known_fields, is_in_its_namespace, selects_something, names_ports_that_exist, listens_at_its_ports, asks_ops_ports,
         connects_service_and_door, doors_find_each_other, is_confined, needs_no_insecure, keeps_cleartext_in_the_cluster, has_no_secrets,
         is_replaced_without_a_gap, refers_to_what_exists, mounts_keys_where_needed)
