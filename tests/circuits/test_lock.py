"""One command at a time in a folder."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from circuitvar.circuits.lock import LOCK, in_use


def _hold(folder, **changes):
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "plan": "p"}
    (folder / LOCK).write_text(json.dumps(owner | changes))


def test_a_folder_is_held_and_left(tmp_path):
    with in_use(tmp_path / "new", "audit of ioi"):
        assert [path.name for path in (tmp_path / "new").iterdir()] == [LOCK]
        (tmp_path / "new" / "result").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["result"]


def test_of_a_command_that_wrote_nothing_no_folder_is_left(tmp_path):
    with pytest.raises(ValueError, match="no such task"), in_use(tmp_path / "new" / "one", "audit"):
        raise ValueError("no such task")
    assert not list(tmp_path.iterdir())


def test_it_is_left_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), in_use(tmp_path, "p"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("plan", "said"), [("p", "the same plan"), ("q", r"another plan \(p\)")])
def test_a_second_driver_is_told(tmp_path, plan, said):
    with in_use(tmp_path, "p"):
        match = f"is in use by process {os.getpid()} on .* since .*, with {said}; wait for it"
        with pytest.raises(ValueError, match=match), in_use(tmp_path, plan):
            pass
        assert (tmp_path / LOCK).exists(), "the first one still holds it"


def test_the_lock_of_a_process_that_is_gone_is_taken_over(tmp_path):
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    _hold(tmp_path, pid=int(child.stdout))
    with in_use(tmp_path, "p"):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


def test_a_lock_of_another_machine_is_believed(tmp_path):
    _hold(tmp_path, host="elsewhere", pid=1)
    with pytest.raises(ValueError, match="on elsewhere"), in_use(tmp_path, "p"):
        pass


@pytest.mark.parametrize("content", ["", "[]", "{}", "{"])
def test_a_lock_without_an_owner_holds_nothing(tmp_path, content):
    (tmp_path / LOCK).write_text(content)
    with in_use(tmp_path, "p"):
        pass
    assert not list(tmp_path.iterdir())
