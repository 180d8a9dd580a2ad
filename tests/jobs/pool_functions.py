"""What the tests of the pool call in a worker; none needs TensorFlow."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from cxrcore import access, i18n
from cxrcore.data.errors import ImageError
from cxrcore.errors import UserError


def count(number, progress):
    """Report `number` steps, 100 a second; return the process and the language."""
    for step in range(number):
        progress(step, number)
        time.sleep(0.01)
    return os.getpid(), i18n.current()


def refuse(name, progress):
    """Raise a `UserError` about `name`, an `ImageError` without one."""
    if name:
        raise UserError("{name} is refused.", name=name)
    raise ImageError("the file is missing", kind="missing")


def divide(by, progress):
    return 1 / by


def kill_itself(*_, progress):
    os.kill(os.getpid(), 9)


def report_and_sleep(seconds, progress):
    """Report the process, and sleep."""
    progress(os.getpid())
    time.sleep(seconds)


def append(path, progress):
    """Append x to a file after a while."""
    time.sleep(0.7)
    with path.open("a") as file:
        file.write("x")


def roles(progress):
    """Return the role in this thread and in another one."""
    with ThreadPoolExecutor(1) as pool:
        return access.current(), pool.submit(access.current).result()


def note_role(path, progress):
    path.write_text(access.current())


def reserve(limit, size, progress):
    """Call `limit`, then reserve so many bytes."""
    limit()
    return len(bytearray(size))
