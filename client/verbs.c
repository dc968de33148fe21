/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/verbs.h"

#include "common/mem.h"

const struct verb verbs[] = {
        {
                .name = "status",
                .args = "",
                .summary = "Show the active target, all targets, devices and guests",
                .help = "Shows which target gets the keyboard and mouse now, the hotkey, and every target,\n"
                        "device and guest with its state. Never starts a daemon.",
                .run = verb_status,
        },
        {
                .name = "switch",
                .args = "[TARGET]",
                .summary = "Switch to a target, or between host and guest without one",
                .help = "Makes TARGET active and prints the target that is active now. Without TARGET it\n"
                        "does what the hotkey does: from the host to the guest last used, from a guest to\n"
                        "the host.",
                .max_args = 1,
                .options = OPTION_LIST,
                .run = verb_switch,
        },
        {
                .name = "devices",
                .args = "",
                .summary = "List the keyboards and mice, or find one by pressing a key",
                .help = "Lists the input devices, the nodes of one physical device together. With\n"
                        "--identify waits until a key or button is pressed and shows its device, with the\n"
                        "line that selects it in the configuration.",
                .options = OPTION_IDENTIFY,
                .run = verb_devices,
        },
        {
                .name = "guests",
                .args = "[GUEST]",
                .summary = "List the guests and how each gets its nodes",
                .help = "Lists the guests that vfio-guestd knows, with state, route, domain and the reason\n"
                        "where something is missing. With GUEST, or --verbose, shows also why the route is\n"
                        "that and no better one, and what each layer said. Never starts a daemon.",
                .max_args = 1,
                .options = OPTION_LIST | OPTION_VERBOSE,
                .run = verb_guests,
        },
        {
                .name = "attach",
                .args = "GUEST",
                .summary = "Give a guest its keyboard and pointer",
                .help = "Gives the guest its keyboard and pointer, now, and says what stands in the way if\n"
                        "that is not possible.",
                .min_args = 1,
                .max_args = 1,
                .options = OPTION_LIST,
                .run = verb_attach,
        },
        {
                .name = "detach",
                .args = "GUEST",
                .summary = "Take keyboard and pointer away from a guest",
                .help = "Takes keyboard and pointer away from the guest, until the next attach or until its\n"
                        "QEMU is started anew.",
                .min_args = 1,
                .max_args = 1,
                .options = OPTION_LIST,
                .run = verb_detach,
        },
        {
                .name = "grant",
                .args = "DOMAIN NODE",
                .summary = "Let the QEMU of a domain open an input node",
                .help = "Opens NODE, any input node of the host, for the running libvirt domain DOMAIN (name\n"
                        "or UUID), and prints the path by which its QEMU can open it. Asks before it hands\n"
                        "out a node that the host is using, if there is a terminal, and refuses otherwise.\n"
                        "The grant ends with the domain, or with \"vfioctl revoke\".",
                .min_args = 2,
                .max_args = 2,
                .options = OPTION_LIST | OPTION_IN_USE,
                .run = verb_grant,
        },
        {
                .name = "revoke",
                .args = "DOMAIN NODE",
                .summary = "Undo a grant",
                .help = "Undoes a grant. NODE is the host's path or the one that was printed. What QEMU has\n"
                        "open it keeps open: remove its object first.",
                .min_args = 2,
                .max_args = 2,
                .options = OPTION_LIST,
                .run = verb_revoke,
        },
        {
                .name = "grants",
                .args = "",
                .summary = "List what has been granted to which domain",
                .help = "Lists the grants: domain, node, the path by which QEMU finds it, its process, and the\n"
                        "layer that is shut again, if one is. Never starts a daemon.",
                .run = verb_grants,
        },
        {
                .name = "monitor",
                .args = "",
                .summary = "Print what happens, a line each, until interrupted",
                .help = "Prints a line with the time for each switch, refused switch, pause, target that\n"
                        "gets ready or not, device and guest that comes, goes or changes, and daemon that\n"
                        "starts or stops. With --json a line is one JSON object.",
                .run = verb_monitor,
        },
        {
                .name = "pause",
                .args = "",
                .summary = "Release every device and forward nothing",
                .help = "Releases every device and forwards nothing until resumed.",
                .run = verb_pause,
        },
        {
                .name = "resume",
                .args = "",
                .summary = "End a pause, also one by the panic chord",
                .help = "Ends a pause, whether it began with \"vfioctl pause\" or with the panic chord\n"
                        "Backspace + Escape + Enter.",
                .run = verb_resume,
        },
        {
                .name = "reload",
                .args = "",
                .summary = "Read the configuration again",
                .help = "Makes vfio-inputd read its configuration again. If there is a mistake in it, says\n"
                        "where; the running configuration stays.",
                .run = verb_reload,
        },
        {
                .name = "doctor",
                .args = "[ARGUMENT]...",
                .summary = "Say what stands between this machine and a passed-through guest",
                .help = "Looks at hardware, kernel, libvirt and the way from keyboard to guest, and names what\n"
                        "is wrong, why, and what mends it. Changes nothing. See vfioctl-setup(1).",
                .without_bus = true,
                .foreign = true,
                .run = verb_doctor,
        },
        {
                .name = "setup",
                .args = "[ARGUMENT]...",
                .summary = "Plan, apply, check or undo the configuration of this host",
                .help = "Prepares the host and a domain for passing a GPU through: shows what would be changed,\n"
                        "and with \"apply\" changes it, as a whole or not at all. See vfioctl-setup(1).",
                .without_bus = true,
                .foreign = true,
                .run = verb_setup,
        },
        {
                .name = "help",
                .args = "[VERB]",
                .summary = "Show this help, or that of a verb",
                .help = "Shows all verbs and options, or what one verb does.",
                .max_args = 1,
                .without_bus = true,
                .run = verb_help,
        },
        { .name = NULL },
};

const struct option_info options[] = {
        { "json", 0, NULL, "Print JSON", OPTION_JSON },
        { "no-ask-password", 0, NULL, "Never let polkit ask for a password", OPTION_NO_ASK_PASSWORD },
        { "timeout", 0, "SECONDS", "Wait at most so long for each answer", OPTION_TIMEOUT },
        { "help", 'h', NULL, "Show help, also for a verb", OPTION_HELP },
        { "version", 0, NULL, "Show the version", OPTION_VERSION },
        { "identify", 0, NULL, "Wait for a key or button and show its device", OPTION_IDENTIFY },
        { "list", 0, NULL, "Do nothing but print the names that can be given, one a line", OPTION_LIST },
        { "verbose", 0, NULL, "Show also what each layer said, and why this route", OPTION_VERBOSE },
        { "in-use", 0, NULL, "Also a node that the host is using, without asking", OPTION_IN_USE },
        { .name = NULL },
};

const struct verb *verb_find(const char *name)
{
        for (const struct verb *v = verbs; v->name; v++)
                if (streq(v->name, name))
                        return v;
        return NULL;
}
