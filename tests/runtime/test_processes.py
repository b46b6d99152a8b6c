import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.files import write_whole
from runtime.instance import Instance
from runtime.processes import Addresses, AddressTaken, listen, running_parent


def an_instance(folder: Path) -> Instance:
    instance = Instance(folder.resolve())
    instance.make_folders()
    return instance


class TestListen:
    def test_says_who_to_ask_when_the_port_is_taken(self) -> None:
        with listen("127.0.0.1", 0) as taken, pytest.raises(AddressTaken, match="in use"):
            listen("127.0.0.1", taken.getsockname()[1])

    def test_hands_its_socket_on_to_children(self) -> None:
        with listen("127.0.0.1", 0) as sock:
            assert sock.get_inheritable()
            with socket.create_connection(sock.getsockname()):
                pass


class TestRunningParent:
    def test_does_not_take_a_stranger_with_the_same_number_for_the_parent(self, tmp_path: Path) -> None:
        instance = an_instance(tmp_path)
        write_whole(instance.pid_file, str(os.getpid()).encode())
        Addresses(("127.0.0.1", 1), ("127.0.0.1", 2)).write(instance)
        assert running_parent(instance) is None
        assert Addresses.of(instance) is None

    def test_is_none_before_the_first_start(self, tmp_path: Path) -> None:
        assert running_parent(an_instance(tmp_path)) is None


class TestLifeline:
    def test_ends_a_child_whose_parent_is_gone(self) -> None:
        script = (
            "import sys, time; from runtime.processes import follow_lifeline, stop_on_signals\n"
            "stop = stop_on_signals(); follow_lifeline(int(sys.argv[1])); print('up', flush=True); stop.wait(60)\n"
            "print('stopped' if stop.is_set() else 'left behind')"
        )
        reading, writing = os.pipe()
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(reading)], pass_fds=[reading], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        os.close(writing)
        os.close(reading)
        assert child.communicate(timeout=120)[0] == "stopped\n"
        assert child.returncode != -signal.SIGKILL


class TestInstance:
    def test_makes_its_secret_once_and_for_its_owner_alone(self, tmp_path: Path) -> None:
        instance = an_instance(tmp_path)
        assert instance.subject_key() == instance.subject_key()
        assert len(instance.subject_key()) == 32
        assert (instance.secrets / "subject.key").stat().st_mode & 0o077 == 0
        assert instance.secrets.stat().st_mode & 0o077 == 0
