"""A function run by several processes at a time that talk to each other by gloo, as torchrun would start them."""

import multiprocessing
import os
import socket
import time

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.shared.tasks"])  # torch is imported once


def together(function, *arguments, num=2, seconds=300, environment=None) -> list[str]:
    """function(*arguments) in `num` processes; how each ended, as `wait` says it.

    function: of a module that can be imported.
    """
    return wait(start(function, *arguments, num=num, environment=environment), seconds)


def start(function, *arguments, num=2, environment=None):
    """Start them, and return (process, where it tells how it ended) of each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    members = []
    for index in range(num):
        places = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": num, "LOCAL_WORLD_SIZE": num}
        told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **places, **(environment or {})}
        receiver, sender = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_member, args=(sender, function, arguments, told))
        process.start()
        sender.close()
        members.append((process, receiver))
    return members


def wait(members, seconds=300) -> list[str]:
    """How each ended: "done", "NAME: message" of its exception, or "killed"; those that take longer are killed."""
    end = time.monotonic() + seconds
    ends = []
    for _, receiver in members:
        try:
            ends.append(receiver.recv() if receiver.poll(max(end - time.monotonic(), 0)) else "late")
        except EOFError:
            ends.append("killed")
    for process, _ in members:
        process.join(10)
        process.kill()
        process.join()
    assert "late" not in ends, f"not all processes ended within {seconds} seconds: {ends}"
    return ends


def _member(sender, function, arguments, environment):
    import torch

    os.environ.update({name: str(value) for name, value in environment.items()})
    torch.set_num_threads(1)
    try:
        function(*arguments)
        sender.send("done")
    except SystemExit as error:
        sender.send(f"exit {error.code}" if error.code else "done")
    except BaseException as error:
        sender.send(f"{type(error).__name__}: {error}")
