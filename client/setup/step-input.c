/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Our own service, which makes the keyboard and mouse that the domain names. */

#include "client/setup/program.h"
#include "client/setup/step.h"

#define STEP "input"
#define UNIT "vfio-inputd.service"

static bool is_installed(const struct root *r)
{
        return root_exists(r, "/usr/lib/systemd/system/" UNIT) || root_exists(r, "/lib/systemd/system/" UNIT) ||
               root_exists(r, "/usr/local/lib/systemd/system/" UNIT) || root_exists(r, "/etc/systemd/system/" UNIT);
}

static bool is_enabled(const struct root *r)
{
        _autofree_ char *target = NULL;

        return root_readlink(r, "/etc/systemd/system/multi-user.target.wants/" UNIT, &target) == 0;
}

/* In a system that does not run, nothing can be started. */
static char **command(const struct root *r, const char *verb)
{
        return root_is_live(r) ? program_command("systemctl", verb, "--now", UNIT, NULL)
                               : program_command("systemctl", verb, UNIT, NULL);
}

int step_input_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        const struct root *r = s->machine->root;

        if (s->choices->no_input) {
                plan_note(p, STEP, PLAN_OPTIONAL, "our input is left out, as was asked for");
        } else if (!is_installed(r)) {
                plan_note(p, STEP, PLAN_BY_HAND, UNIT " is not installed: install the package vfio-inputd");
        } else if (is_enabled(r)) {
                plan_note(p, STEP, PLAN_DONE, UNIT " is enabled");
        } else {
                plan_add_command(p, STEP, command(r, "enable"), "keyboard and mouse are shared from now on")->undo =
                        command(r, "disable");
                plan_note(p, STEP, PLAN_CHANGES, UNIT " is enabled; Backspace + Escape + Enter gives every device back");
        }
        plan_note(p, STEP, PLAN_NOT_NEEDED, "no /dev/input/eventN to be looked for: the guest's nodes have names that stay");
        return 0;
}
