"""Names of keys: Linux (KEY_LEFTCTRL), QEMU (ctrl), and the keys behind typed text."""

# Where QEMU's name is not Linux's in lower case.
QCODES = {
    "KEY_APOSTROPHE": "apostrophe",
    "KEY_CAPSLOCK": "caps_lock",
    "KEY_ENTER": "ret",
    "KEY_GRAVE": "grave_accent",
    "KEY_KPASTERISK": "kp_multiply",
    "KEY_KPDOT": "kp_decimal",
    "KEY_KPENTER": "kp_enter",
    "KEY_KPMINUS": "kp_subtract",
    "KEY_KPPLUS": "kp_add",
    "KEY_KPSLASH": "kp_divide",
    "KEY_LEFTALT": "alt",
    "KEY_LEFTBRACE": "bracket_left",
    "KEY_LEFTCTRL": "ctrl",
    "KEY_LEFTMETA": "meta_l",
    "KEY_LEFTSHIFT": "shift",
    "KEY_102ND": "less",
    "KEY_MUTE": "audiomute",
    "KEY_NEXTSONG": "audionext",
    "KEY_NUMLOCK": "num_lock",
    "KEY_PAGEDOWN": "pgdn",
    "KEY_PAGEUP": "pgup",
    "KEY_PLAYPAUSE": "audioplay",
    "KEY_PREVIOUSSONG": "audioprev",
    "KEY_RIGHTALT": "alt_r",
    "KEY_RIGHTBRACE": "bracket_right",
    "KEY_RIGHTCTRL": "ctrl_r",
    "KEY_RIGHTMETA": "meta_r",
    "KEY_RIGHTSHIFT": "shift_r",
    "KEY_SCROLLLOCK": "scroll_lock",
    "KEY_SPACE": "spc",
    "KEY_STOPCD": "audiostop",
    "KEY_VOLUMEDOWN": "volumedown",
    "KEY_VOLUMEUP": "volumeup",
} | {f"KEY_KP{digit}": f"kp_{digit}" for digit in range(10)}

# The US layout: what is typed without and with Shift, key by key.
PLAIN = "`1234567890-=[]\\;',./ \n\t"
SHIFTED = '~!@#$%^&*()_+{}|:"<>?'
PUNCTUATION = {
    "`": "grave_accent", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", "\\": "backslash",
    ";": "semicolon", "'": "apostrophe", ",": "comma", ".": "dot", "/": "slash", " ": "spc", "\n": "ret", "\t": "tab",
}


def qcode(key):
    """QEMU's name of a key given by QEMU's or by Linux's name."""
    if not key.startswith("KEY_"):
        return key
    return QCODES.get(key, key.removeprefix("KEY_").lower())


def keys_for(character):
    """The keys to hold, in order, to type one character on a US keyboard."""
    if character.isupper():
        return ["shift", character.lower()]
    if character in SHIFTED:
        return ["shift", *keys_for(PLAIN[SHIFTED.index(character)])]
    return [PUNCTUATION.get(character, character)]
