/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of what a guide that was followed by hand has left. */

#include "client/setup/doctor.h"
#include "client/setup/leftovers.h"
#include "client/setup/words.h"

static const struct leftover_rule *find_rule(const char *id)
{
        const struct leftover_rule *rule = leftover_rules;

        while (rule->id && !streq(rule->id, id))
                rule++;
        return rule->id ? rule : NULL;
}

static void fix(struct check *c, const struct leftover_rule *rule)
{
        if (streq(rule->id, "guide.qemu-args"))
                check_fix(c, "sudo vfioctl setup apply --domain=NAME");
        else if (rule->by_hand)
                check_fix(c, "take it out, then make the initramfs again");
        else
                check_fix(c, "sudo vfioctl setup apply --cleanup");
}

static void check_rule(const struct doctor *d, struct check *c)
{
        const struct leftover_rule *rule = find_rule(c->id);
        _cleanup_(strv_freep) char **files = NULL, **unread = NULL;
        _autofree_ char *all = NULL;

        leftovers_find(d->machine, rule, &files, &unread);
        all = words_join(files ? files : unread, ", ");
        if (files) {
                check_set(c, CHECK_WARN, "%s: %s", all, rule->what);
                check_evidence(c, "%s", rule->why);
                fix(c, rule);
        } else if (unread) {
                doctor_need_root(c, all);
        } else {
                check_set(c, CHECK_OK, "nothing left");
        }
}

static void check_account(const struct doctor *d, struct check *c)
{
        if (leftovers_has_user(d->machine)) {
                check_set(c, CHECK_WARN, "the user vfio of a guide is still there");
                check_evidence(c, "QEMU runs as the distribution's own user");
                check_fix(c, "sudo find / -xdev -user vfio, and then, if nothing of it is needed: sudo userdel vfio");
        } else {
                check_set(c, CHECK_OK, "nothing left");
        }
}

const struct doctor_check doctor_guide_checks[] = {
        { "guide.cmdline", "no kernel parameter of a guide is without effect", check_rule, 0 },
        { "guide.ids-twice", "vfio-pci's ids are not on the command line and in modprobe.d", check_rule, 0 },
        { "guide.virqfd", "no initramfs wants vfio_virqfd of a kernel that has none", check_rule, 0 },
        { "guide.blacklist", "no driver of a GPU is on the blacklist", check_rule, 0 },
        { "guide.user", "qemu.conf names no user of a guide, nor root", check_rule, 0 },
        { "guide.acl", "qemu.conf allows no input nodes for all guests", check_rule, 0 },
        { "guide.nvram", "qemu.conf lists no firmware", check_rule, 0 },
        { "guide.apparmor", "AppArmor allows no input nodes for all guests", check_rule, 0 },
        { "guide.account", "no user of a guide is left", check_account, 0 },
        { "guide.qemu-args", "no domain has input-linux behind libvirt's back", check_rule, 0 },
        { NULL, NULL, NULL, 0 },
};
