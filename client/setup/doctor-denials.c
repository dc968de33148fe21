/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What AppArmor kept a QEMU of libvirt's, or us, from, as the kernel's log has it:
 *
 *   audit: type=1400 … apparmor="DENIED" operation="open" profile="libvirt-UUID"
 *   name="/dev/input/event5" pid=1 comm="qemu-system-x86" requested_mask="r" …
 *
 * A value with a blank or quote in it is written in hexadecimal, without quotes. */

#include <fcntl.h>

#include "client/setup/doctor.h"
#include "client/setup/program.h"
#include "client/setup/run.h"
#include "client/setup/words.h"

/* --- one line --------------------------------------------------------------------------- */

static char *decode_hex(const char *hex, size_t n)
{
        char *text = xnew0(char, n / 2 + 1);

        for (size_t i = 0; i + 1 < n; i += 2) {
                const char digits[] = { hex[i], hex[i + 1], '\0' };

                text[i / 2] = (char) strtoul(digits, NULL, 16);
        }
        return text;
}

/* The value of key, owned by the caller; NULL: the line has none. */
static char *value_of(const char *line, const char *key)
{
        _autofree_ char *start = xasprintf(" %s=", key);
        const char *at = strstr(line, start);
        size_t n;

        if (!at)
                return NULL;
        at += strlen(start);
        if (*at == '"')
                return xasprintf("%.*s", (int) strcspn(at + 1, "\""), at + 1);
        n = strspn(at, "0123456789ABCDEFabcdef");
        return n > 1 && n % 2 == 0 ? decode_hex(at, n) : NULL;
}

static bool is_of_interest(const char *profile)
{
        return startswith(profile, "libvirt-") || streq(profile, "vfio-guestd") || streq(profile, "vfio-inputd") ||
               strstr(profile, "/vfio-guestd") || strstr(profile, "/vfio-inputd");
}

/* --- what it means ------------------------------------------------------------------------ */

static void explain(struct check *c, const char *profile, const char *name)
{
        if (!startswith(profile, "libvirt-")) {
                check_fix(c, "sudo apparmor_parser -r /etc/apparmor.d/%s, then restart the service; if it comes again, "
                             "report it", strrchr(profile, '/') ? strrchr(profile, '/') + 1 : profile);
        } else if (startswith(name, "/dev/vfio-inputd/")) {
                check_fix(c, "vfioctl attach GUEST: it loads the domain's profile with our rule; "
                             "vfioctl guests GUEST shows the layer");
        } else if (startswith(name, "/dev/input/")) {
                check_fix(c, "name the node in the domain as <input type='evdev'>: vfioctl setup apply --domain=NAME; "
                             "libvirt lets the domain open it then");
        } else if (startswith(name, "/dev/vfio/")) {
                check_fix(c, "pass the card as <hostdev managed='yes'>, not by qemu:arg: "
                             "vfioctl setup apply --domain=NAME");
        } else {
                check_fix(c, "name that path in the domain's definition, or allow it in "
                             "/etc/apparmor.d/local/abstractions/libvirt-qemu");
        }
}

/* Sets the check by the last denial of the text. False: there is none. */
static bool judge(struct check *c, char *text, const char *where)
{
        _cleanup_(strv_freep) char **lines = words_split(text, "\n");
        _autofree_ char *profile = NULL, *name = NULL;
        size_t n = 0;

        for (char **line = lines; *line; line++) {
                _autofree_ char *of = strstr(*line, "apparmor=\"DENIED\"") ? value_of(*line, "profile") : NULL;

                if (!of || !is_of_interest(of))
                        continue;
                n++;
                free(profile);
                free(name);
                profile = TAKE_PTR(of);
                name = value_of(*line, "name");
        }
        if (n == 0)
                return false;
        check_set(c, CHECK_WARN, "AppArmor kept %s from %s", profile, name ?: "something");
        check_evidence(c, "the last of %zu such lines in %s", n, where);
        explain(c, profile, name ?: "");
        return true;
}

/* --- where logs are ----------------------------------------------------------------------- */

/* Whether journalctl would show us the kernel's messages. */
static bool may_read_journal(const struct root *r)
{
        static const char *const folders[] = { "/var/log/journal", "/run/log/journal" };

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                _cleanup_(strv_freep) char **names = NULL;

                if (root_list(r, folders[i], &names) < 0)
                        continue;
                for (char **name = names; *name; name++) {
                        _autofree_ char *path = xasprintf("%s/%s/system.journal", folders[i], *name);
                        _autoclose_ int fd = root_open_file(r, path, O_RDONLY | O_NONBLOCK);

                        if (fd >= 0)
                                return true;
                }
        }
        return false;
}

/* Of this boot; owned by the caller, NULL: cannot be read. */
static char *read_journal(const struct root *r)
{
        _cleanup_(strv_freep) char **argv = NULL;
        char *text = NULL;

        if (!root_is_live(r) || !program_exists(r, "journalctl") || !may_read_journal(r))
                return NULL;
        argv = program_command("timeout", "5", "journalctl", "-k", "-b", "-o", "cat", "--no-pager", "-q", "-n", "20000",
                               NULL);
        if (run_and_read(argv, &text) == 0)
                return text;
        free(text);
        return NULL;
}

void doctor_check_denials(const struct doctor *d, struct check *c)
{
        static const char *const logs[] = { "/var/log/audit/audit.log", "/var/log/kern.log", "/var/log/syslog" };
        _autofree_ char *journal = read_journal(d->machine->root);
        bool any = journal, refused = false;

        if (journal && judge(c, journal, "the journal of this boot"))
                return;
        for (size_t i = 0; !journal && i < ARRAY_SIZE(logs); i++) {
                _autofree_ char *text = NULL;
                int e = root_read(d->machine->root, logs[i], &text, NULL);

                any |= e == 0;
                refused |= e == -EACCES || e == -EPERM;
                if (e == 0 && judge(c, text, logs[i]))
                        return;
        }
        if (any)
                check_set(c, CHECK_OK, "no denial in the log");
        else if (refused || root_is_live(d->machine->root))
                doctor_need_root(c, "the kernel's log");
        else
                check_set(c, CHECK_SKIP, "there is no log");
}
