"""A process that has imported everything and forks one child per command, so that a sweep begins at once.

It reads commands as lines of JSON: {"start": [arguments], "command": "run" | "report" | "admin", "folder": …, "fault": [name,
values…], "environment": {…}}
answers {"pid": …}, and {"wait": pid} answers {"code": …}, negative for a signal.
"""

import json
import os
import signal
import sys

import faults.injected as injected
import scar.commands.admin
import scar.commands.report
import scar.commands.run
import scar.job.measurements
import scar.measures.from_probes
import scar.probes.train
import scar.reporting.content
import scar.reporting.figures.job_figures


def child(command: dict) -> None:
    """Run a command in a group of its own, with a fault."""
    os.setsid()
    os.chdir(command["folder"])
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(log, number)
    os.environ.update(command["environment"])
    name, *values = command["fault"]
    getattr(injected, name)(*values)
    sys.argv = ["scar", *command["start"]]
    getattr(scar.commands, command["command"]).main()


def main() -> None:
    import encodings.cp437
    import encodings.raw_unicode_escape  # noqa: F401

    import pytorch_lightning  # noqa: F401  every child needs it, and it takes seconds
    import torch
    import wandb  # noqa: F401

    torch.set_num_threads(1)
    for line in sys.stdin:
        command = json.loads(line)
        if "wait" in command:
            _, status = os.waitpid(command["wait"], 0)
            answer = {"code": os.waitstatus_to_exitcode(status)}
        else:
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
                    child(command)
                    code = 0
                except SystemExit as end:
                    code = end.code or 0
                finally:
                    sys.stdout.flush()
                    os._exit(code if isinstance(code, int) else 1)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
