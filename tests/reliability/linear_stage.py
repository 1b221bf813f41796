"""Holds histories of eight threads on one store against a model: see linear_check.py.

A case is a history that the program under test (linear_history.cc) makes of its seed.
"""

import subprocess

import linear_check
from cases import Stage, check, exit_with
from driver import OK, finish, start_process

PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


class LinearStage(Stage):
    def run_case(self, seed, place):
        made = finish(start_process([self.program, str(seed % 2**26)], **PIPES)).expect(OK)
        calls, met = linear_check.check(made.out.splitlines())
        check(met > 0, "no two calls of the history overlap")
        self.facts["calls"] += calls
        self.facts["met"] += met

    def summary(self, facts):
        yield f"{facts['calls']} calls, {facts['met']} of which met a change under way"


if __name__ == "__main__":
    exit_with(LinearStage, __doc__)
