/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of libvirt's configuration: version, qemu.conf, firmware, profiles. */

#include <stdio.h>

#include "client/setup/account.h"
#include "client/setup/doctor.h"
#include "client/setup/program.h"
#include "client/setup/virconf.h"

#define QEMU_CONF "/etc/libvirt/qemu.conf"
/* The first with <input type='evdev'>. */
#define EVDEV_SINCE 7004U

static bool has_libvirt(const struct doctor *d, struct check *c)
{
        if (program_exists(d->machine->root, "libvirtd") || program_exists(d->machine->root, "virtqemud"))
                return true;
        check_set(c, CHECK_SKIP, "libvirt is not installed");
        return false;
}

/* --- version -------------------------------------------------------------------------- */

/* libvirt.so.0.9000.1 is 9.0.1. The thousands and the rest, 0: not such a name. */
static unsigned version_of(const char *name, unsigned *ret_micro)
{
        unsigned both = 0;

        return sscanf(name, "libvirt.so.0.%u.%u", &both, ret_micro) == 2 ? both : 0;
}

static unsigned find_version(const struct root *r, const char *folder, unsigned *ret_micro)
{
        _cleanup_(strv_freep) char **names = NULL;
        unsigned version = 0;

        if (root_list(r, folder, &names) < 0)
                return 0;
        for (char **name = names; *name && version == 0; name++)
                version = version_of(*name, ret_micro);
        return version;
}

static void check_version(const struct doctor *d, struct check *c)
{
        static const char *const folders[] = { "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib",
                                               "/usr/lib/aarch64-linux-gnu" };
        unsigned version = 0, micro = 0;

        if (!has_libvirt(d, c))
                return;
        for (size_t i = 0; version == 0 && i < ARRAY_SIZE(folders); i++)
                version = find_version(d->machine->root, folders[i], &micro);
        if (version == 0) {
                check_set(c, CHECK_SKIP, "its library is in none of the usual folders");
        } else if (version < EVDEV_SINCE) {
                check_set(c, CHECK_FAIL, "libvirt %u.%u.%u is too old for <input type='evdev'>", version / 1000,
                          version % 1000, micro);
                check_evidence(c, "that came with libvirt 7.4.0");
                check_fix(c, "install a newer libvirt, or give the guest its nodes by QMP: see vfio-guestd(8)");
        } else {
                check_set(c, CHECK_OK, "libvirt %u.%u.%u", version / 1000, version % 1000, micro);
        }
}

/* --- qemu.conf ------------------------------------------------------------------------ */

/* The first value of an assignment; NULL: it is not there. */
static const char *value_of(const struct virconf *v, const char *name)
{
        const struct virconf_entry *e = virconf_get(v, name);

        return e && e->words ? e->words[0] : NULL;
}

/* A later assignment of the same name, which libvirt passes over; NULL: none. */
static const struct virconf_entry *find_again(const struct virconf *v)
{
        for (size_t i = 0; i < v->n_entries; i++)
                if (virconf_get(v, v->entries[i].name) != &v->entries[i])
                        return &v->entries[i];
        return NULL;
}

/* False: the check is set, also for a file that is not there. */
static bool read_conf(const struct doctor *d, struct check *c, struct virconf *ret)
{
        _autofree_ char *text = NULL, *error = NULL;
        int e = doctor_read(d, c, QEMU_CONF, &text);

        if (e == -ENOENT)
                check_set(c, CHECK_SKIP, "there is no " QEMU_CONF);
        if (e < 0)
                return false;
        e = virconf_parse(text, ret, &error);
        if (e == 0)
                return true;
        check_set(c, CHECK_FAIL, QEMU_CONF ": libvirt reads nothing of it: %s", error);
        check_evidence(c, "one mistake makes libvirt refuse the whole file");
        check_fix(c, "mend or take out that line, then restart libvirt: sudo systemctl try-restart libvirtd.service "
                     "virtqemud.service");
        return false;
}

static void check_conf(const struct doctor *d, struct check *c)
{
        _cleanup_(virconf_clear) struct virconf v = { 0 };
        const struct virconf_entry *again;

        if (!read_conf(d, c, &v))
                return;
        again = find_again(&v);
        if (!again) {
                check_set(c, CHECK_OK, "libvirt can read " QEMU_CONF);
                return;
        }
        check_set(c, CHECK_FAIL, QEMU_CONF " line %u: libvirt passes over this %s", again->line, again->name);
        check_evidence(c, "it is set in line %u already, and the first one counts",
                       virconf_get(&v, again->name)->line);
        check_fix(c, "make one of both, and take the other out");
}

static const char *default_user(const char *passwd)
{
        static const char *const users[] = { "libvirt-qemu", "qemu" };

        for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
                _cleanup_(strv_freep) char **entry = account_find(passwd, users[i]);

                if (entry)
                        return users[i];
        }
        return NULL;
}

static bool may_use_kvm(const struct doctor *d, const char *passwd, const char *user)
{
        _cleanup_(strv_freep) char **kvm = NULL;
        _autofree_ char *group = NULL;
        struct stat st;

        if (root_stat(d->machine->root, "/dev/kvm", &st) == 0 && (st.st_mode & 06) == 06)
                return true;
        if (root_read(d->machine->root, "/etc/group", &group, NULL) < 0)
                return true;
        kvm = account_find(group, "kvm");
        return !kvm || account_is_member(passwd, group, user, "kvm");
}

static void judge_user(const struct doctor *d, struct check *c, const char *passwd, const char *user, bool is_set)
{
        _cleanup_(strv_freep) char **entry = account_find(passwd, user);
        const char *out = "take user and group out of " QEMU_CONF ": with <input type='evdev'> QEMU needs no user of its "
                          "own";

        if (streq(user, "root")) {
                check_set(c, CHECK_WARN, "QEMU runs as root");
                check_evidence(c, "a guest that breaks out of QEMU owns the host");
                check_fix(c, "%s", out);
        } else if (!entry && *user != '+') {
                check_set(c, CHECK_FAIL, "QEMU is to run as %s, and there is no such user", user);
                check_fix(c, "%s", out);
        } else if (is_set && *user != '+' && !may_use_kvm(d, passwd, user)) {
                check_set(c, CHECK_FAIL, "QEMU runs as %s, who may not open /dev/kvm", user);
                check_evidence(c, "not a member of the group kvm");
                check_fix(c, "%s; or: sudo usermod -aG kvm %s", out, user);
        } else {
                check_set(c, CHECK_OK, "QEMU runs as %s", user);
        }
}

static void check_qemu_user(const struct doctor *d, struct check *c)
{
        _cleanup_(virconf_clear) struct virconf v = { 0 };
        _autofree_ char *passwd = NULL;
        const char *set, *user;

        if (!has_libvirt(d, c) || !read_conf(d, c, &v))
                return;
        if (root_read(d->machine->root, "/etc/passwd", &passwd, NULL) < 0) {
                check_set(c, CHECK_UNKNOWN, "/etc/passwd cannot be read");
                return;
        }
        set = value_of(&v, "user");
        user = set ?: default_user(passwd);
        if (user)
                judge_user(d, c, passwd, user, set);
        else
                check_set(c, CHECK_SKIP, "not known as which user this libvirt runs QEMU");
}

/* --- firmware ------------------------------------------------------------------------- */

static void check_ovmf(const struct doctor *d, struct check *c)
{
        static const char *const folders[] = { "/usr/share/qemu/firmware", "/etc/qemu/firmware" };
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                _cleanup_(strv_freep) char **names = NULL;

                if (root_list(d->machine->root, folders[i], &names) < 0)
                        continue;
                for (char **name = names; *name; name++) {
                        _autofree_ char *path = xasprintf("%s/%s", folders[i], *name), *text = NULL;

                        n += root_read(d->machine->root, path, &text, NULL) == 0 && strstr(text, "\"uefi\"");
                }
        }
        if (n > 0) {
                check_set(c, CHECK_OK, "%zu descriptors of UEFI firmware", n);
                return;
        }
        check_set(c, CHECK_FAIL, "libvirt finds no UEFI firmware for guests");
        check_evidence(c, "no descriptor in /usr/share/qemu/firmware");
        check_fix(c, "install the package: ovmf (Debian, Ubuntu), edk2-ovmf (Fedora, Arch), qemu-ovmf-x86_64 (openSUSE)");
}

/* --- profiles ------------------------------------------------------------------------- */

static bool apparmor_is_on(const struct root *r)
{
        _autofree_ char *line = NULL;

        return root_read_line(r, "/sys/module/apparmor/parameters/enabled", &line) == 0 && streq(line, "Y");
}

static void check_profile(const struct doctor *d, struct check *c)
{
        static const char *const ours[] = { "vfio-guestd", "vfio-inputd" };
        const struct root *r = d->machine->root;
        _autofree_ char *conf = NULL, *error = NULL;
        _cleanup_(virconf_clear) struct virconf v = { 0 };

        if (root_read(r, QEMU_CONF, &conf, NULL) == 0 && virconf_parse(conf, &v, &error) == 0 &&
            streq_null(value_of(&v, "security_driver"), "none")) {
                check_set(c, CHECK_WARN, "guests are not confined: security_driver = \"none\"");
                check_evidence(c, QEMU_CONF " line %u", virconf_get(&v, "security_driver")->line);
                check_fix(c, "take that line out, and restart libvirt");
                return;
        }
        if (!apparmor_is_on(r)) {
                check_set(c, CHECK_SKIP, "AppArmor is not at work here");
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
                _autofree_ char *off = xasprintf("/etc/apparmor.d/disable/%s", ours[i]);

                if (!root_exists(r, off))
                        continue;
                check_set(c, CHECK_WARN, "the profile of %s is switched off", ours[i]);
                check_fix(c, "sudo aa-enforce /etc/apparmor.d/%s", ours[i]);
                return;
        }
        if (!root_exists(r, "/etc/apparmor.d/abstractions/libvirt-qemu")) {
                check_set(c, CHECK_FAIL, "AppArmor is at work, and libvirt's abstraction for QEMU is missing");
                check_evidence(c, "no /etc/apparmor.d/abstractions/libvirt-qemu: no guest can start confined");
                check_fix(c, "install libvirt's package again (Debian, Ubuntu: sudo apt install --reinstall "
                             "-o Dpkg::Options::=--force-confmiss libvirt-daemon-system)");
                return;
        }
        check_set(c, CHECK_OK, "AppArmor confines guests");
}

const struct doctor_check doctor_libvirt_checks[] = {
        { "libvirt.version", "libvirt knows <input type='evdev'>", check_version, 0 },
        { "libvirt.conf-parse", "libvirt can read qemu.conf, and nothing is set twice there", check_conf, 0 },
        { "libvirt.qemu-user", "QEMU runs as a user that exists, is not root and may use KVM", check_qemu_user, 0 },
        { "ovmf.descriptor", "libvirt finds UEFI firmware for guests", check_ovmf, 0 },
        { "lsm.profile", "guests are confined, and our own profiles are not switched off", check_profile, 0 },
        { "lsm.denials", "AppArmor has not kept QEMU or us from anything", doctor_check_denials, 0 },
        { NULL, NULL, NULL, 0 },
};
