/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of what the way from keyboard to guest needs to be there at all. */

#include "client/setup/account.h"
#include "client/setup/doctor.h"
#include "client/setup/words.h"

#define QEMU_CONF "/etc/libvirt/qemu.conf"
#define UNIT "vfio-inputd.service"

/* --- our own ---------------------------------------------------------------------- */

static void check_uinput(const struct doctor *d, struct check *c)
{
        const struct root *r = d->machine->root;

        if (!d->machine->kernels.cmdline) {
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
        } else if (root_exists(r, "/dev/uinput")) {
                check_set(c, CHECK_OK, "/dev/uinput is there");
        } else {
                check_set(c, CHECK_FAIL, "no /dev/uinput: guests can get no virtual keyboard");
                check_evidence(c, "the module uinput is not loaded");
                check_fix(c, "sudo modprobe uinput");
        }
}

/* The folder with the unit; NULL: not installed. */
static const char *find_unit(const struct root *r)
{
        static const char *const folders[] = { "/etc/systemd/system", "/usr/local/lib/systemd/system",
                                               "/usr/lib/systemd/system", "/lib/systemd/system" };

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                _autofree_ char *path = xasprintf("%s/" UNIT, folders[i]);

                if (root_exists(r, path))
                        return folders[i];
        }
        return NULL;
}

static void check_service(const struct doctor *d, struct check *c)
{
        const struct root *r = d->machine->root;
        _autofree_ char *mask = NULL, *wants = NULL;

        if (root_readlink(r, "/etc/systemd/system/" UNIT, &mask) == 0 && streq(mask, "/dev/null")) {
                check_set(c, CHECK_FAIL, UNIT " is masked");
                check_fix(c, "sudo systemctl unmask " UNIT);
        } else if (!find_unit(r)) {
                check_set(c, CHECK_FAIL, UNIT " is not installed");
                check_fix(c, "install the package vfio-inputd");
        } else if (root_readlink(r, "/etc/systemd/system/multi-user.target.wants/" UNIT, &wants) < 0) {
                check_set(c, CHECK_FAIL, UNIT " is not enabled");
                check_evidence(c, "nothing wants it at boot");
                check_fix(c, "sudo systemctl enable --now " UNIT);
        } else {
                check_set(c, CHECK_OK, UNIT " is installed and enabled");
        }
}

/* --- qemu.conf -------------------------------------------------------------------- */

/* What stands behind "user =", unless that is a comment; owned by the caller, NULL: it is not set. */
static char *conf_user(const char *conf)
{
        _cleanup_(strv_freep) char **lines = words_split(conf, "\n");

        for (char **line = lines; *line; line++) {
                const char *at = *line + strspn(*line, " \t");

                if (!startswith(at, "user"))
                        continue;
                at += strlen("user");
                at += strspn(at, " \t");
                if (*at != '=')
                        continue;
                at++;
                return xstrdup(at + strspn(at, " \t"));
        }
        return NULL;
}

/* --- the group input -------------------------------------------------------------- */

/* Accounts that QEMU runs as: distributions' own, the guide's, the one that is set. */
static char **qemu_users(const struct root *r)
{
        _autofree_ char *conf = NULL, *set = NULL;
        char **users = NULL;

        words_add(&users, "libvirt-qemu");
        words_add(&users, "qemu");
        words_add(&users, "vfio");
        if (root_read(r, QEMU_CONF, &conf, NULL) < 0)
                return users;
        set = conf_user(conf);
        if (set && *set) {
                const char *start = set + strspn(set, "\"'+");

                words_take(&users, xasprintf("%.*s", (int) strcspn(start, "\"' \t"), start));
        }
        return users;
}

static void check_group(const struct doctor *d, struct check *c)
{
        _cleanup_(strv_freep) char **users = NULL, **members = NULL;
        _autofree_ char *text = NULL, *all = NULL, *passwd = NULL;
        int e = doctor_read(d, c, "/etc/group", &text);

        if (e == -ENOENT)
                check_set(c, CHECK_SKIP, "there is no /etc/group");
        if (e < 0)
                return;
        (void) root_read(d->machine->root, "/etc/passwd", &passwd, NULL);
        users = qemu_users(d->machine->root);
        for (char **user = users; *user; user++)
                if (account_is_member(passwd ?: "", text, *user, "input") && !words_have(members, *user))
                        words_add(&members, *user);
        if (!members) {
                check_set(c, CHECK_OK, "QEMU may not read the host's keyboards");
                return;
        }
        all = words_join(members, ", ");
        check_set(c, CHECK_WARN, "%s may read every keyboard of the host", all);
        check_evidence(c, "a member of the group input; a guest that breaks out of QEMU reads passwords");
        for (char **member = members; *member; member++)
                check_fix(c, "sudo gpasswd -d %s input", *member);
}

const struct doctor_check doctor_input_checks[] = {
        { "input.uinput", "virtual keyboards can be made", check_uinput, 0 },
        { "input.service", "vfio-inputd is installed and enabled", check_service, 0 },
        { "input.group-overreach", "QEMU may not read all keyboards", check_group, 0 },
        { NULL, NULL, NULL, 0 },
};
