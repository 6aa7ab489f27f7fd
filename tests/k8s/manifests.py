"""Objects of Kubernetes as `kubectl kustomize` prints them, and what they say about each other."""
import os
import re
import subprocess

import yaml


def matches(selector, labels):
    """Returns whether a selector with matchLabels and matchExpressions (In) selects an object with these labels."""
    return (all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()) and
            all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions") or []))


class Container:
    """A container of a pod. `environment` has the variables of env and envFrom that are known without a cluster."""

    def __init__(self, pod, spec, manifests):
        self.pod, self.spec, self.name = pod, spec, spec["name"]
        self.where = "%s, container %s" % (pod.where, self.name)
        self.program = spec.get("image", "").rpartition("/")[2].partition(":")[0]
        self.environment = {}
        for source in spec.get("envFrom") or []:
            self.environment.update(manifests.config_map(source["configMapRef"]["name"]))
        fields = {"metadata.namespace": pod.namespace, **{"metadata.labels['%s']" % key: value for key, value in pod.labels.items()}}
        for variable in spec.get("env") or []:
            source = variable.get("valueFrom")
            value = fields.get(source["fieldRef"]["fieldPath"], "") if source else variable.get("value", "")
            self.environment[variable["name"]] = self.expand(value)
        self.arguments = [self.expand(argument) for argument in spec.get("args") or []]
        self.ports = {port["name"]: port["containerPort"] for port in spec.get("ports") or []}

    def expand(self, text):
        """Replaces $(NAME) by a variable that stands before, as the kubelet does."""
        return re.sub(r"\$\((\w+)\)", lambda found: self.environment.get(found[1], found[0]), text)

    def flag(self, name):
        """Returns the value of --name, or None."""
        values = [argument.partition("=")[2] for argument in self.arguments if argument.startswith("--%s=" % name)]
        return values[-1] if values else None


class Pod:
    """The pods of a Deployment."""

    def __init__(self, deployment, manifests):
        template = deployment["spec"]["template"]
        self.deployment, self.spec, self.labels = deployment, template["spec"], template["metadata"]["labels"]
        self.name, self.namespace = deployment["metadata"]["name"], deployment["metadata"].get("namespace", "default")
        self.where = "Deployment " + self.name
        self.first = [Container(self, spec, manifests) for spec in self.spec.get("initContainers") or []]
        self.containers = [Container(self, spec, manifests) for spec in self.spec["containers"]]

    def container(self, name):
        return next((one for one in self.containers if one.name == name), None)

    def port(self, port):
        """Returns the number of a port of the pod, given by its name or number, or None."""
        for container in self.containers:
            if port in container.ports:
                return container.ports[port]
            if port in container.ports.values():
                return port
        return None


class Manifests:
    """The objects of one build."""

    def __init__(self, documents):
        self.documents = documents
        self.pods = [Pod(document, self) for document in self.of("Deployment")]

    def of(self, kind):
        return [document for document in self.documents if document["kind"] == kind]

    def config_map(self, name):
        return next((one.get("data") or {} for one in self.of("ConfigMap") if one["metadata"]["name"] == name), {})

    def selected(self, selector):
        return [pod for pod in self.pods if matches(selector, pod.labels)]


def build(folder):
    """Returns the objects that `kubectl kustomize` makes of a folder. Raises ValueError if it fails."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, "KUBECONFIG": "/dev/null"})
    if done.returncode != 0:
        raise ValueError(done.stderr.strip())
    return Manifests([document for document in yaml.safe_load_all(done.stdout) if document])
