"""The screen of ./demo --play, read from the console while keys are pressed."""

import struct
import subprocess
from pathlib import Path

import pytest

from console import PLAY, TERMINAL, UNIT, WHY
from nodes import wait_for


@pytest.fixture
def program(service, long_lived):
    """play.py on the console, with a guest of its own: there is but one socket for guests."""
    for guest in long_lived:
        guest.kill()
    with subprocess.Popen(PLAY) as process:
        yield process
        subprocess.run(["systemctl", "stop", UNIT], stderr=subprocess.DEVNULL)
    print(subprocess.run(WHY, capture_output=True, text=True).stdout)


def lines():
    content = Path("/dev", TERMINAL.replace("tty", "vcsa")).read_bytes()
    height, width = struct.unpack_from("BB", content)
    text = content[4::2].decode("ascii", errors="replace")
    return [text[line * width:(line + 1) * width] for line in range(height)]


def wait_screen(condition, what):
    try:
        wait_for(condition, timeout=60, what=what)
    except AssertionError:
        raise AssertionError("\n".join([f"{what} is not on the screen:", *lines()])) from None


def halves():
    """What is shown on the left and on the right, line by line joined."""
    split = [(line[:len(line) // 2 - 1], line[len(line) // 2:]) for line in lines()]
    return ["".join(half[side].strip() for half in split) for side in (0, 1)]


def test_person_sees_switch_release_and_resume(hw, program):
    wait_screen(lambda: "HOST  <- has keyboard" in halves()[0], "the host being active")
    hw.type_text("hello")
    wait_screen(lambda: "hello" in halves()[0], "hello on the left")
    hw.chord("ctrl", "ctrl_r")
    wait_screen(lambda: "GUEST  <- has keyboard" in halves()[1], "the guest being active")
    hw.type_text("World")
    hw.move(20, 10)
    wait_screen(lambda: "World" in halves()[1] and "mouse at 20,10" in halves()[1], "World and the mouse on the right")
    assert "World" not in halves()[0]
    hw.chord("backspace", "esc", "ret")
    wait_screen(lambda: any("Press r to resume." in line and "RELEASED" in line for line in lines()), "the release")
    hw.tap("r")
    wait_screen(lambda: not any("RELEASED" in line for line in lines()), "the end of the release")
    hw.chord("ctrl", "ctrl_r")
    wait_screen(lambda: "GUEST  <- has keyboard" in halves()[1], "the guest being active again")
    hw.chord("ctrl", "ctrl_r")
    wait_screen(lambda: "HOST  <- has keyboard" in halves()[0], "the host being active again")
    hw.tap("f12")
    assert program.wait(60) == 0
