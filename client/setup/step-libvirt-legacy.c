/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For domains that hand a node of the host to QEMU by qemu:arg, of which libvirt
 * knows nothing: the list of devices, AppArmor's rule and the group, as the guides
 * have them, but so that they work. Whoever can writes <input type='evdev'>. */

#include "client/setup/block.h"
#include "client/setup/libvirt-daemon.h"
#include "client/setup/program.h"
#include "client/setup/step-libvirt-legacy.h"
#include "client/setup/virconf.h"

#define STEP "libvirt"
#define QEMU_CONF "/etc/libvirt/qemu.conf"
#define LIST "cgroup_device_acl"
#define APPARMOR "/etc/apparmor.d/"
#define ABSTRACTION "abstractions/libvirt-qemu"
/* AppArmor asks for what a link leads to, and that has another number after each boot. */
#define RULE "/dev/input/event[0-9]* rw,\n"

static int refuse(char **ret_error, const char *node, const char *why)
{
        *ret_error = xasprintf("--legacy-input=%s: %s", node, why);
        return -EINVAL;
}

static int check_node(const struct root *r, const char *node, char **ret_error)
{
        static const char *const folders[] = { "/dev/input/by-id/", "/dev/input/by-path/" };
        const char *name = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
                if (startswith(node, folders[i]))
                        name = node + strlen(folders[i]);
        if (!name)
                return refuse(ret_error, node, "a node must be named by /dev/input/by-id/ or /dev/input/by-path/, as eventN is "
                                               "another device after the next boot");
        for (const char *at = name; *at; at++)
                if (*at <= ' ' || *at > '~' || strchr("/\"'\\", *at))
                        return refuse(ret_error, node, "this is not the name of a node");
        if (!*name || *name == '.')
                return refuse(ret_error, node, "this is not the name of a node");
        if (root_is_live(r) && !root_exists(r, node))
                return refuse(ret_error, node, "there is no such node, and libvirt would leave it out in silence");
        return 0;
}

/* --- the list of devices -------------------------------------------------------------------------- */

static void list_by_hand(struct plan *p, char *const *nodes)
{
        struct plan_note *n = plan_note(p, STEP, PLAN_BY_HAND, "there is no " QEMU_CONF " here: add to " LIST " where libvirt's "
                                                               "configuration comes from");

        for (; *nodes; nodes++)
                words_take(&n->lines, xasprintf("\"%s\"", *nodes));
}

/* 1: the list is changed. */
static int plan_list(const struct setup *s, struct plan *p, char **ret_user, char **ret_error)
{
        /* What libvirt has built in, for a qemu.conf that does not show it. */
        static const char *const built_in[] = { "/dev/null",    "/dev/full", "/dev/zero", "/dev/random",
                                                "/dev/urandom", "/dev/ptmx", "/dev/kvm",  NULL };
        _autofree_ char *old = NULL, *after = NULL, *error = NULL;
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        const struct virconf_entry *user;
        int e = plan_content(p, s->machine->root, QEMU_CONF, &old);

        if (e == -ENOENT) {
                list_by_hand(p, s->choices->legacy_nodes);
                return 0;
        }
        if (e < 0) {
                *ret_error = xasprintf(QEMU_CONF " cannot be read: %s", strerror(-e));
                return e;
        }
        e = virconf_add(old, LIST, s->choices->legacy_nodes, built_in, &after, &error);
        if (e < 0) {
                *ret_error = xasprintf(QEMU_CONF ", %s; libvirt does not load it either", error);
                return e;
        }
        if (virconf_parse(after, &c, &error) == 0 && (user = virconf_get(&c, "user")) && user->type == VIRCONF_STRING)
                *ret_user = xstrdup(user->words[0] + (user->words[0][0] == '+'));
        e = plan_set_file(p, s->machine->root, STEP, QEMU_CONF, after, 0600, VALIDATE_LIBVIRT_CONF,
                          "QEMU's control group may use these nodes, and they are in its /dev");
        if (e < 0)
                *ret_error = xasprintf(QEMU_CONF ": %s", strerror(-e));
        return e < 0 ? e : !streq(old, after);
}

/* --- AppArmor ----------------------------------------------------------------------------------------- */

static int set_rule(const struct setup *s, struct plan *p, const char *path, const char *text, char **ret_error)
{
        int e = plan_set_file(p, s->machine->root, STEP, path, text, 0644, VALIDATE_APPARMOR,
                              "AppArmor lets QEMU open nodes; which ones it has is up to libvirt's list");

        if (e < 0)
                *ret_error = xasprintf("%s: %s", path, strerror(-e));
        return e;
}

static int set_local_rule(const struct setup *s, struct plan *p, char **ret_error)
{
        static const char path[] = APPARMOR "local/" ABSTRACTION;
        _autofree_ char *old = NULL, *after = NULL;
        int e = plan_content(p, s->machine->root, path, &old);

        if (e < 0 && e != -ENOENT) {
                *ret_error = xasprintf("%s cannot be read: %s", path, strerror(-e));
                return e;
        }
        e = block_set(old ? old : "", "  " RULE, &after);
        if (e < 0) {
                *ret_error = xasprintf("%s: our own block in it is damaged", path);
                return e;
        }
        return set_rule(s, p, path, after, ret_error);
}

static int plan_rule(const struct setup *s, struct plan *p, char **ret_error)
{
        _autofree_ char *abstraction = NULL;
        int e = root_read(s->machine->root, APPARMOR ABSTRACTION, &abstraction, NULL);

        if (e == -ENOENT)
                return 0;
        if (e < 0) {
                *ret_error = xasprintf(APPARMOR ABSTRACTION " cannot be read: %s", strerror(-e));
                return e;
        }
        if (strstr(abstraction, "<" ABSTRACTION ".d>"))
                return set_rule(s, p, APPARMOR ABSTRACTION ".d/vfio-inputd",
                                "# Written by \"vfioctl setup\"; \"vfioctl setup undo\" takes it back.\n  " RULE, ret_error);
        if (strstr(abstraction, "<local/" ABSTRACTION ">"))
                return set_local_rule(s, p, ret_error);
        words_add(&plan_note(p, STEP, PLAN_BY_HAND, APPARMOR ABSTRACTION " includes no file for additions: add this rule to it "
                                                    "and keep it when the package is upgraded")
                           ->lines,
                  "/dev/input/event[0-9]* rw,");
        return 0;
}

/* --- the group ------------------------------------------------------------------------------------------ */

/* The fields of that name's line in a file such as /etc/passwd; NULL: none. */
static char **find_line(const struct root *r, const char *path, const char *name)
{
        _autofree_ char *text = NULL, *start = xasprintf("%s:", name);
        _cleanup_(strv_freep) char **lines = NULL;

        if (root_read(r, path, &text, NULL) < 0)
                return NULL;
        lines = words_split(text, "\n");
        for (char **line = lines; *line; line++)
                if (startswith(*line, start))
                        return words_split(*line, ":");
        return NULL;
}

static char *find_user(const struct root *r)
{
        static const char *const names[] = { "libvirt-qemu", "qemu" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_(strv_freep) char **fields = find_line(r, "/etc/passwd", names[i]);

                if (fields)
                        return xstrdup(names[i]);
        }
        return NULL;
}

static bool is_member(const struct root *r, const char *user)
{
        _cleanup_(strv_freep) char **fields = find_line(r, "/etc/group", "input"), **members = NULL;

        members = words_split(words_count(fields) > 3 ? fields[3] : "", ",");
        return words_have(members, user);
}

static void plan_group(const struct setup *s, struct plan *p, const char *configured)
{
        _autofree_ char *user = configured ? xstrdup(configured) : find_user(s->machine->root);
        struct plan_command *c;

        if (!user) {
                plan_note(p, STEP, PLAN_BY_HAND, "QEMU's user is not known: make it a member of the group input");
                return;
        }
        if (streq(user, "root") || streq(user, "0") || is_member(s->machine->root, user)) {
                plan_note(p, STEP, PLAN_DONE, "%s, as whom QEMU runs, may open input nodes", user);
                return;
        }
        c = plan_add_command(p, STEP, program_command("usermod", "--append", "--groups", "input", "--", user, NULL),
                             "QEMU's user may open input nodes: those of its own /dev");
        c->undo = program_command("gpasswd", "--delete", user, "input", NULL);
        words_add(&c->changed, "members of the group input");
        plan_note(p, STEP, PLAN_CHANGES, "%s becomes a member of the group input; whatever else runs as it reads every keyboard",
                  user);
}

/* --- all ------------------------------------------------------------------------------------------------- */

/* Guests go on running meanwhile. One in a system that does not run reads it when it starts. */
static void plan_restart(const struct setup *s, struct plan *p)
{
        const char *unit = libvirt_daemon_unit(s->machine->root);

        plan_note(p, STEP, PLAN_CHANGES, "%s is restarted, so that it reads its list; guests go on, and have what they had until "
                                         "they are started anew",
                  unit);
        if (root_is_live(s->machine->root))
                plan_add_command(p, STEP, program_command("systemctl", "try-restart", unit, NULL),
                                 "libvirt reads its configuration when it starts")
                        ->is_rebuild = true;
}

int step_libvirt_legacy(const struct setup *s, struct plan *p, char **ret_error)
{
        _autofree_ char *user = NULL;
        int changed, e;

        for (char **node = s->choices->legacy_nodes; node && *node; node++) {
                e = check_node(s->machine->root, *node, ret_error);
                if (e < 0)
                        return e;
        }
        changed = plan_list(s, p, &user, ret_error);
        if (changed < 0)
                return changed;
        e = plan_rule(s, p, ret_error);
        if (e < 0)
                return e;
        plan_group(s, p, user);
        if (changed)
                plan_restart(s, p);
        if (root_exists(s->machine->root, "/etc/selinux/config"))
                plan_note(p, STEP, PLAN_BY_HAND, "SELinux may deny QEMU these nodes all the same: only <input type='evdev'> has "
                                                 "libvirt label them");
        plan_note(p, STEP, PLAN_OPTIONAL, "none of this is needed once the domain has <input type='evdev'> instead of qemu:arg "
                                          "(--domain)");
        return 0;
}
