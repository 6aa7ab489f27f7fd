"""Arms fault points in the services of a stack, and checks that they fired."""
import signal

from kit.stack import wait_for


def armed(service, faults):
    """Sets SCREENING_FAULTS for the next starts of the service. "" arms no point."""
    service.environment["SCREENING_FAULTS"] = faults
    return service


def fired(service, point):
    """Returns the log lines of all starts that report that the point fired."""
    return [line for line in service.log_lines() if line.get("event") == "fault.fired" and line["point"] == point]


def wait_fired(service, point, times=1):
    wait_for("%s of %s-svc has fired" % (point, service.name), lambda: len(fired(service, point)) >= times)


def wait_crashed(service, point):
    """Waits until the fault point has ended the service by SIGKILL."""
    wait_for("%s-svc crashes at %s" % (service.name, point), lambda: service.process.poll() is not None, interval_s=0.005)
    assert service.process.returncode == -signal.SIGKILL, (service.name, point, service.process.returncode)
    assert fired(service, point), (service.name, point)


def crash_at_each(service, points):
    """Kills the service, lets it crash at one point after the other (each start arms the next point), and finally starts it with no
    point armed. `points` is a list of (name, number of the pass at which to crash)."""
    service.kill()
    for point, number in points:
        armed(service, "%s:crash@%d" % (point, number)).spawn()
        wait_crashed(service, point)
    armed(service, "").start()
