"""A function run by several processes at a time that talk to each other by gloo, as torchrun would start them."""

import multiprocessing
import os
import socket
import time

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.shared.tasks"])  # torch is imported once


def together(function, *arguments, num=2, seconds=120, environment=None) -> list[int]:
    """function(*arguments) in `num` processes; their exit statuses. function: of a module that can be imported."""
    processes = start(function, *arguments, num=num, environment=environment)
    return wait(processes, seconds)


def start(function, *arguments, num=2, environment=None):
    """Start them, and return the processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = []
    for index in range(num):
        places = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": num, "LOCAL_WORLD_SIZE": num}
        told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **places, **(environment or {})}
        process = _CONTEXT.Process(target=_member, args=(function, arguments, told))
        process.start()
        processes.append(process)
    return processes


def wait(processes, seconds=120) -> list[int]:
    """Their exit statuses; those that take longer are killed."""
    end = time.monotonic() + seconds
    for process in processes:
        process.join(max(end - time.monotonic(), 0))
    late = [process for process in processes if process.is_alive()]
    for process in late:
        process.kill()
        process.join()
    assert not late, f"{len(late)} of {len(processes)} processes did not end within {seconds} seconds"
    return [process.exitcode for process in processes]


def _member(function, arguments, environment):
    import torch

    os.environ.update({name: str(value) for name, value in environment.items()})
    torch.set_num_threads(1)
    function(*arguments)
