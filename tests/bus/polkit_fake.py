# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for polkit on a private bus, inside the process of the test.

Each question is noted and answered at once as `answer` says, or kept while that is None until release() is called.
"""

from gi.repository import Gio, GLib

NAME = "org.freedesktop.PolicyKit1"
PATH = "/org/freedesktop/PolicyKit1/Authority"

YES, NO, CHALLENGE = (True, False), (False, False), (False, True)  # is_authorized, is_challenge

INTERFACE = """<node><interface name="org.freedesktop.PolicyKit1.Authority">
  <method name="CheckAuthorization">
    <arg name="subject" type="(sa{sv})" direction="in"/>
    <arg name="action_id" type="s" direction="in"/>
    <arg name="details" type="a{ss}" direction="in"/>
    <arg name="flags" type="u" direction="in"/>
    <arg name="cancellation_id" type="s" direction="in"/>
    <arg name="result" type="(bba{ss})" direction="out"/>
  </method>
  <method name="CancelCheckAuthorization">
    <arg name="cancellation_id" type="s" direction="in"/>
  </method>
</interface></node>"""


class Polkit:
    def __init__(self, connection, answer=YES):
        """answer: YES, NO, CHALLENGE, None (later), or the name of an error."""
        self.connection = connection
        self.answer = answer
        self.questions = []  # (sender on the bus, action, may ask for a password)
        self.open = []  # (invocation, cancellation id)
        self.cancelled = []
        interface = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
        self.registration = connection.register_object(PATH, interface, self.on_call, None, None)
        reply = connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "RequestName", GLib.Variant("(su)", (NAME, 4)), None, Gio.DBusCallFlags.NONE,
                                     10000, None)
        assert reply.unpack() == (1,)

    def close(self):
        """It leaves the bus, without a word to those who asked."""
        self.connection.close_sync(None)

    def on_call(self, connection, sender, path, interface, member, arguments, invocation):
        if member == "CancelCheckAuthorization":
            self.cancelled.append(arguments.unpack()[0])
            invocation.return_value(None)
            return
        (kind, details), action, _, flags, cancellation = arguments.unpack()
        assert kind == "system-bus-name"
        self.questions.append((details["name"], action, flags == 1))
        self.open.append((invocation, cancellation))
        if self.answer is not None:
            self.release(self.answer)

    def release(self, answer):
        """Answers all that has been asked."""
        while self.open:
            invocation, _ = self.open.pop(0)
            if isinstance(answer, str):
                invocation.return_dbus_error(answer, "as the test wants it")
            else:
                invocation.return_value(GLib.Variant("((bba{ss}))", ((*answer, {}),)))
