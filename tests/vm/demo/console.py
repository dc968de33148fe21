"""How play.py gets onto the machine's own screen; for main.py outside and the test inside."""

from pathlib import PurePosixPath

VM = PurePosixPath("/run/vmtest/tests/vm")
UNIT = "vfio-demo.service"
TERMINAL = "tty1"

# Both return when the program has ended, with its exit status.
STORY = ["python3", str(VM / "demo/story.py")]
GETTY = f"getty@{TERMINAL}.service"
PLAY = [
    "systemd-run", "--quiet", "--collect", "--wait", f"--unit={UNIT}",
    # Its end hangs up the terminal, so it has to come first.
    f"--property=Conflicts={GETTY}", f"--property=After={GETTY}",
    "--property=StandardInput=tty-force", "--property=StandardOutput=tty", "--property=StandardError=journal",
    f"--property=TTYPath=/dev/{TERMINAL}", "--property=TTYReset=yes", "--setenv=TERM=linux",
    "python3", str(VM / "demo/play.py"),
]
WHY = ["journalctl", "--boot", "--quiet", "--output=cat", "--lines=20", f"--unit={UNIT}"]
