/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What keeps the host off the guest's CPUs while it runs: a hook of libvirt that
 * has systemd move all of the host's slices away and back. Nothing of it needs a
 * boot, and nothing is lost while the guest does not run. */

#include "client/setup/libvirt-daemon.h"
#include "client/setup/program.h"
#include "client/setup/step.h"

#define STEP "isolation"
/* libvirt calls what is in this folder since 6.5. */
#define HOOK "/etc/libvirt/hooks/qemu.d/60-vfio-inputd"

static char *hook(const char *domain, const struct cpu_set *host, const struct cpu_set *all)
{
        _autofree_ char *few = cpu_set_format(host), *every = cpu_set_format(all);

        return xasprintf("#!/bin/sh\n"
                         "# Written by \"vfioctl setup\"; \"vfioctl setup undo\" takes it back.\n"
                         "# libvirt calls it with DOMAIN OPERATION; it must not fail, or the domain does.\n"
                         "[ \"$1\" = '%s' ] || exit 0\n"
                         "case $2 in\n"
                         "prepare) cpus=%s ;;\n"
                         "release) cpus=%s ;;\n"
                         "*) exit 0 ;;\n"
                         "esac\n"
                         "for unit in system.slice user.slice init.scope; do\n"
                         "\tsystemctl set-property --runtime -- $unit AllowedCPUs=$cpus </dev/null >/dev/null 2>&1\n"
                         "done\n"
                         "exit 0\n",
                         domain, few, every);
}

static bool has_cgroup2(const struct root *r)
{
        return !root_is_live(r) || root_exists(r, "/sys/fs/cgroup/cgroup.controllers");
}

static bool is_uuid(const char *name)
{
        return strlen(name) == 36 && strspn(name, "0123456789abcdefABCDEF-") == 36;
}

/* What a hook is told is the name. */
static int check_name(const char *name, char **ret_error)
{
        const char *why = !name                        ? "--isolate=slices wants --domain: while which guest runs?"
                          : is_uuid(name)              ? "--isolate=slices wants the name of the domain, not its UUID"
                          : name[strcspn(name, "'\n")] ? "the name of the domain cannot stand in a hook"
                                                       : NULL;

        if (why)
                *ret_error = xstrdup(why);
        return why ? -EINVAL : 0;
}

/* It looks for hooks when it starts and when it is told to read its configuration
 * again, and not before each call. */
static void plan_reload(const struct setup *s, struct plan *p)
{
        const char *unit = libvirt_daemon_unit(s->machine->root);

        if (root_is_live(s->machine->root))
                plan_add_command(p, STEP, program_command("systemctl", "try-reload-or-restart", unit, NULL),
                                 "libvirt looks for its hooks anew; guests go on")
                        ->is_rebuild = true;
}

static int plan_hook(const struct setup *s, struct plan *p, char **ret_error)
{
        const struct choices *c = s->choices;
        struct cpu_proposal proposal;
        _autofree_ char *text = NULL;
        size_t files = p->n_files;
        int e;

        e = check_name(c->domain, ret_error);
        if (e < 0)
                return e;
        if (!has_cgroup2(s->machine->root)) {
                plan_note(p, STEP, PLAN_BY_HAND, "AllowedCPUs= needs control groups of version 2, and this host has the old "
                                                 "ones");
                return 0;
        }
        e = cpu_choose(&s->machine->cpu, c->cpus, &proposal, ret_error);
        if (e < 0)
                return e;
        text = hook(c->domain, &proposal.host, &s->machine->cpu.online);
        e = plan_set_file(p, s->machine->root, STEP, HOOK, text, 0755, VALIDATE_SHELL,
                          "the host leaves the guest's CPUs while it runs");
        if (e < 0) {
                *ret_error = xasprintf(HOOK ": %s", strerror(-e));
                return e;
        }
        if (p->n_files > files)
                plan_reload(s, p);
        plan_note(p, STEP, p->n_files > files ? PLAN_CHANGES : PLAN_DONE,
                  "systemd keeps the host off the guest's CPUs while it runs");
        return 0;
}

int step_isolation_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        switch (s->choices->isolate) {
        case ISOLATE_NONE:
                plan_note(p, STEP, PLAN_OPTIONAL, "the host may use the guest's CPUs too: --isolate=slices keeps it off them "
                                                  "while the guest runs");
                return 0;
        case ISOLATE_ISOLCPUS:
                plan_note(p, STEP, PLAN_CHANGES, "the kernel keeps the host off the guest's CPUs, also without a guest: see "
                                                 "cmdline");
                return 0;
        case ISOLATE_SLICES:
                return plan_hook(s, p, ret_error);
        }
        return 0;
}
