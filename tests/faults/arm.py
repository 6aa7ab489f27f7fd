"""Arming fault points in the services of a stack, and seeing that they fired."""
import signal

from kit.stack import wait_for


def armed(service, faults):
    """The service's next starts have these entries of SCREENING_FAULTS; "" = none."""
    service.environment = {"SCREENING_FAULTS": faults}
    return service


def fired(service, point):
    """The log lines that tell of it, over all starts."""
    return [line for line in service.log_lines() if line.get("event") == "fault.fired" and line["point"] == point]


def wait_fired(service, point, times=1):
    wait_for("%s of %s-svc has fired" % (point, service.name), lambda: len(fired(service, point)) >= times)


def wait_crashed(service, point):
    """Until the service has ended at this point, by the signal that nothing can catch."""
    wait_for("%s-svc crashes at %s" % (service.name, point), lambda: service.process.poll() is not None, interval_s=0.005)
    assert service.process.returncode == -signal.SIGKILL, (service.name, point, service.process.returncode)
    assert fired(service, point), (service.name, point)


def crash_and_restart(service, point, passes="1"):
    """Starts the service anew with this crash ahead of it, waits for that, and starts it without."""
    service.kill()
    armed(service, "%s:crash@%s" % (point, passes)).spawn()
    wait_crashed(service, point)
    armed(service, "").start()
