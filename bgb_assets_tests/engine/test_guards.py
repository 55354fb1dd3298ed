import errno

import pytest

from bgb_assets.engine.guards import machine_error, machine_errors_named
from bgb_assets.runtime.errors import ResourceError


def test_full_disk_is_told_from_a_file_that_cannot_be_read():
    full = OSError(errno.ENOSPC, "No space left on device")
    assert machine_error(full) is full
    assert machine_error(FileNotFoundError(errno.ENOENT, "gone")) is None
    assert machine_error(OSError("cannot identify image file")) is None
    assert machine_error(ValueError("51840 requested and 16320 written")) is None


def test_short_write_of_numpy_is_a_full_disk():
    fault = machine_error(OSError("51840 requested and 16320 written"))
    assert isinstance(fault, ResourceError)
    assert str(fault) == "No space left on device: 51840 requested and 16320 written"


def test_machine_errors_say_where_and_what_to_do():
    with pytest.raises(ResourceError) as caught, machine_errors_named("toy/tokens"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(caught.value) == (
        "toy/tokens: [Errno 28] No space left on device; mend it and run again, what was committed is kept"
    )
    with pytest.raises(FileNotFoundError, match="gone"), machine_errors_named("toy/tokens"):
        raise FileNotFoundError(errno.ENOENT, "gone")
