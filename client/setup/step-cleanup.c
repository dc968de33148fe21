/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a guide that was followed by hand has left is taken out: only with --cleanup. */

#include "client/setup/leftovers.h"
#include "client/setup/program.h"
#include "client/setup/step.h"

#define STEP "cleanup"
#define QEMU_CONF "/etc/libvirt/qemu.conf"

static enum validator validator_of(const char *path)
{
        if (streq(path, QEMU_CONF))
                return VALIDATE_LIBVIRT_CONF;
        return streq(path, "/etc/kernel/cmdline") ? VALIDATE_CMDLINE : VALIDATE_NONE;
}

static void rebuild(const struct setup *s, struct plan *p, const struct leftover_rule *rule)
{
        char *const *command = rule->in_boot        ? s->machine->bootloader.command
                               : rule->in_initramfs ? s->machine->initramfs.command
                                                    : NULL;
        char **copy = NULL;

        if (rule->in_boot)
                plan_need_reboot(p, "the kernel's parameters change");
        for (; command && *command; command++)
                words_add(&copy, *command);
        if (copy)
                plan_add_command(p, STEP, copy, "made again without what the guide left")->is_rebuild = true;
}

static int clean_file(const struct setup *s, struct plan *p, const struct leftover_rule *rule, const char *path)
{
        const struct root *r = s->machine->root;
        _autofree_ char *before = NULL, *after = NULL;
        int e = plan_content(p, r, path, &before);

        if (e < 0)
                return e == -ENOENT ? 0 : e;
        after = rule->edit(s->machine, before);
        return plan_set_file(p, r, STEP, path, after, 0644, validator_of(path), rule->why);
}

static int clean_rule(const struct setup *s, struct plan *p, const struct leftover_rule *rule, char **ret_error)
{
        _cleanup_(strv_freep) char **files = NULL, **unread = NULL;
        _autofree_ char *all = NULL;

        leftovers_find(s->machine, rule, &files, &unread);
        if (!files)
                return 0;
        all = words_join(files, ", ");
        if (rule->by_hand) {
                plan_note(p, STEP, PLAN_BY_HAND, "%s in %s: %s", rule->what, all, rule->why);
                return 0;
        }
        for (char **file = files; *file; file++) {
                int e = clean_file(s, p, rule, *file);

                if (e < 0) {
                        *ret_error = xasprintf("%s cannot be planned: %s", *file, strerror(-e));
                        return e;
                }
        }
        rebuild(s, p, rule);
        plan_note(p, STEP, PLAN_CHANGES, "%s in %s is taken out: %s", rule->what, all, rule->why);
        return 0;
}

static void clean_accounts(const struct setup *s, struct plan *p)
{
        _cleanup_(strv_freep) char **members = leftovers_input_members(s->machine);

        for (char **member = members; member && *member; member++) {
                plan_add_command(p, STEP, program_command("gpasswd", "-d", *member, "input", NULL),
                                 "members of the group input read every keyboard of the host, passwords included")
                        ->undo = program_command("gpasswd", "-a", *member, "input", NULL);
                plan_note(p, STEP, PLAN_CHANGES, "%s leaves the group input", *member);
        }
        if (leftovers_has_user(s->machine)) {
                struct plan_note *note = plan_note(p, STEP, PLAN_BY_HAND, "the user vfio is no longer needed, and may own "
                                                                          "files: look, then remove it");

                words_add(&note->lines, "sudo find / -xdev -user vfio");
                words_add(&note->lines, "sudo userdel vfio");
        }
}

/* "guide.acl (/etc/libvirt/qemu.conf), …", owned by the caller. */
static char *list_all(const struct setup *s)
{
        _cleanup_(strv_freep) char **found = NULL, **members = leftovers_input_members(s->machine);

        for (const struct leftover_rule *rule = leftover_rules; rule->id; rule++) {
                _cleanup_(strv_freep) char **files = NULL, **unread = NULL;
                _autofree_ char *all = NULL;

                leftovers_find(s->machine, rule, &files, &unread);
                all = words_join(files, ", ");
                if (files)
                        words_take(&found, xasprintf("%s (%s)", rule->what, all));
        }
        for (char **member = members; member && *member; member++)
                words_take(&found, xasprintf("%s in the group input", *member));
        if (leftovers_has_user(s->machine))
                words_add(&found, "the user vfio");
        return words_join(found, "; ");
}

int step_cleanup_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        _autofree_ char *all = list_all(s);
        size_t n_files = p->n_files;
        int e = 0;

        if (!*all)
                return 0;
        if (!s->choices->cleanup) {
                plan_note(p, STEP, PLAN_OPTIONAL, "what a guide has left is taken out with --cleanup: %s", all);
                return 0;
        }
        for (const struct leftover_rule *rule = leftover_rules; rule->id && e == 0; rule++)
                e = clean_rule(s, p, rule, ret_error);
        if (e < 0)
                return e;
        clean_accounts(s, p);
        for (; n_files < p->n_files; n_files++)
                if (streq(p->files[n_files].path, QEMU_CONF))
                        plan_note(p, STEP, PLAN_BY_HAND, "libvirt reads " QEMU_CONF " when it starts, and running domains "
                                                         "keep what they have: sudo systemctl try-restart "
                                                         "libvirtd.service virtqemud.service");
        return 0;
}
