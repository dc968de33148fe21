"""What a person typed, from the keys that arrived: US layout, one string for each press."""

import libevdev

from keys import PLAIN, SHIFTED, keys_for, qcode

EV_KEY = 1
LINUX = {qcode(code.name): code.name for code in libevdev.evbit(EV_KEY).codes if code.name.startswith("KEY_")}
CHARACTERS = {tuple(keys_for(character)): character
              for character in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + PLAIN + SHIFTED}
SHIFTS = ("KEY_LEFTSHIFT", "KEY_RIGHTSHIFT")


class Typed:
    """Fed with (key, value) events of one side, in order."""

    def __init__(self):
        self._shifts = set()

    def feed(self, key, value):
        """The text of this event: a character, a [Name], or nothing for Shift and for releases."""
        if key in SHIFTS:
            (self._shifts.add if value else self._shifts.discard)(key)
            return ""
        if not value:
            return ""
        pressed = (*(["shift"] if self._shifts else []), qcode(key))
        character = CHARACTERS.get(pressed, "")
        return character if character.isprintable() and character else f"[{name(key)}]"


def name(key):
    """KEY_LEFTCTRL: Left Ctrl."""
    word = key.removeprefix("KEY_").removeprefix("BTN_").lower()
    for side in ("left", "right"):
        if word.startswith(side) and word != side:
            word = f"{side} {word.removeprefix(side)}"
    return word.title()
