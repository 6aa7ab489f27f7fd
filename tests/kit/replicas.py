"""Runs more than one hospital-svc on one database, for a booking-svc that knows the addresses of all of them."""
import contextlib
import os

from kit.stack import Service, Stack, wait_for


def replica_of(stack, name, **flags):
    """Returns another hospital-svc on the database of the stack's own. Services call it at `flags["rpc_listen"]`, or at an address of the stack."""
    flags = {key.replace("_", "-"): value for key, value in flags.items()}
    own = {flag: stack.address("%s.%s" % (name, flag)) for flag in ("rpc-listen", "client-listen", "events-listen")
           if flag in stack.hospital_svc.flags}
    service = Service(stack, "hospital", {**stack.hospital_svc.flags, **own, **flags})
    service.log_path = os.path.join(stack.folder, name + ".log")
    stack.services[name] = service
    return service


def backend(stack, metric, service):
    return stack.stat("booking", 'rpc_backend_%s{peer="hospital-svc",backend="%s"}' % (metric, service.for_services))


def wait_connected(stack, *services):
    for service in services:
        wait_for("booking-svc is connected to " + service.for_services, lambda s=service: backend(stack, "connected", s) == 1)


@contextlib.contextmanager
def closing(*services):
    """Stops the services, which the stack does not know, at the end."""
    try:
        yield
    finally:
        for service in services:
            if service.process is not None and service.process.poll() is None:
                service.resume()
            service.kill()


@contextlib.contextmanager
def two_replicas(without=("history",), database=None, **flags):
    """Runs two hospital-svc, on `database` or on a new one, for a booking-svc with these flags."""
    stack = Stack("postgresql", without=without, flags={"booking": {key.replace("_", "-"): value for key, value in flags.items()}})
    if database:
        stack.hospital_svc.flags["database"] = database
    other = replica_of(stack, "hospital-b")
    stack.without += ("hospital-b",)
    stack.booking_svc.flags["hospital-rpc"] = stack.hospital_svc.for_services + "," + other.for_services
    with stack, closing(other):
        other.start()
        wait_connected(stack, stack.hospital_svc, other)
        yield stack, (stack.hospital_svc, other)
