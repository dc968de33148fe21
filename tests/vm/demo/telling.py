"""Shows what story.py tells from inside the machine, and judges by it."""

import json

from screen import BOLD, GREEN, RED, Columns
from vm import MachineDied


class Telling:
    """Lines that are not the story's own are an error message of Python's."""

    def __init__(self, paper):
        self._paper = paper
        self._columns = Columns(paper)
        self._partial = ""
        self._status = ""
        self._errors = []
        self._verdicts = []

    def hear(self, text):
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            if line.startswith("{"):
                self._take(json.loads(line))
            else:
                self._errors.append(line)

    def _take(self, message):
        if "doing" in message:
            self._columns.doing(message["doing"])
        elif "active" in message:
            self._columns.active(message["active"])
        elif "received" in message:
            self._columns.received(message["received"], message["text"])
        elif "status" in message:
            self._status = message["status"]
        elif "verdict" in message:
            self._verdicts.append(message)

    def end(self, status):
        """Show the rest; returns the demo's exit status."""
        self._columns.end()
        self._paper.add(self._paper.paint("$ vfioctl status", BOLD), *self._status.splitlines(), "")
        if status != 0 or len(self._verdicts) != 2:
            self._paper.add(*self._errors)
            raise MachineDied(f"what runs inside the machine ended with status {status}")
        wrong = [verdict for verdict in self._verdicts if verdict["arrived"] != verdict["expected"]]
        self._explain(wrong)
        return 1 if wrong else 0

    def _explain(self, wrong):
        for verdict in wrong:
            self._paper.add(f"expected on the {verdict['verdict']}: {verdict['expected']}",
                            f"arrived on the {verdict['verdict']}:  {verdict['arrived']}")
        if wrong:
            sides = " and ".join(verdict["verdict"] for verdict in wrong)
            closing, colour = f"demo: failed: what arrived on the {sides} is not what should have", RED
        else:
            counts = " and ".join(f"{len(verdict['arrived'])} on the {verdict['verdict']}" for verdict in self._verdicts)
            closing, colour = f"demo: every press, release and movement arrived once and in its place: {counts}", GREEN
        self._paper.add(self._paper.paint(closing, BOLD, colour))
