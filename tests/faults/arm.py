"""Arms fault points in the services of a stack, and checks that they fired."""
import signal

from kit.stack import wait_for


def armed(service, faults):
    """Gives these entries of SCREENING_FAULTS to the next starts of the service. "" = none."""
    service.environment = {"SCREENING_FAULTS": faults}
    return service


def fired(service, point):
    """Returns the log lines of fired fault points, over all starts."""
    return [line for line in service.log_lines() if line.get("event") == "fault.fired" and line["point"] == point]


def wait_fired(service, point, times=1):
    wait_for("%s of %s-svc has fired" % (point, service.name), lambda: len(fired(service, point)) >= times)


def wait_crashed(service, point):
    """Waits until the service has ended at this point, by SIGKILL."""
    wait_for("%s-svc crashes at %s" % (service.name, point), lambda: service.process.poll() is not None, interval_s=0.005)
    assert service.process.returncode == -signal.SIGKILL, (service.name, point, service.process.returncode)
    assert fired(service, point), (service.name, point)


def crash_at_each(service, points):
    """Kills the service, lets it crash at one point after the other (each start arms the next point), and finally
    starts it with none. `points` has names and the passes at which to crash."""
    service.kill()
    for point, number in points:
        armed(service, "%s:crash@%d" % (point, number)).spawn()
        wait_crashed(service, point)
    armed(service, "").start()
