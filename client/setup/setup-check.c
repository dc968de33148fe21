/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* After the reboot: is the system what was applied? In the order in which one
 * thing leads to the next, so that the first that is broken is the cause. */

#include <stdio.h>

#include "client/setup/check.h"
#include "client/setup/domain-store.h"
#include "client/setup/session.h"
#include "client/text.h"

/* --- files ------------------------------------------------------------------------------ */

static bool is_as_written(struct store *store, const struct record *r, size_t n, const char *path)
{
        _autofree_ char *after = NULL, *now = NULL;
        size_t after_size = 0, now_size = 0;
        bool planned = store_read(store, r, "after", n, &after, &after_size) == 0;
        bool there = root_read(store_root(store), path, &now, &now_size) == 0;

        if (!planned || !there)
                return planned == there;
        return after_size == now_size && memcmp(after, now, now_size) == 0;
}

static void check_files(struct store *store, const struct record *r, struct checks *checks)
{
        size_t n = record_count(r, "files");
        struct check *c = checks_add(checks, "setup.files");
        size_t wrong = 0;

        for (size_t i = 0; i < n; i++) {
                const char *path = record_text(record_item(r, "files", i), "path");

                if (is_as_written(store, r, i, path))
                        continue;
                wrong++;
                check_set(c, CHECK_FAIL, "%s is not as it was applied", path);
                check_fix(c, "see what changed %s, or apply again", path);
        }
        if (!wrong)
                check_set(c, CHECK_OK, "%zu files are as they were applied", n);
}

/* --- the running kernel ------------------------------------------------------------------- */

static bool is_same_boot(struct store *store, const struct record *r)
{
        _autofree_ char *now = NULL;

        return root_read_line(store_root(store), "/proc/sys/kernel/random/boot_id", &now) == 0 &&
               streq(now, record_text(r->plan, "boot_id"));
}

static void check_reboot(struct store *store, const struct record *r, struct checks *checks)
{
        struct check *c = checks_add(checks, "setup.reboot");
        json_object *needed;

        if (!json_object_object_get_ex(r->plan, "reboot_required", &needed) || !json_object_get_boolean(needed)) {
                check_set(c, CHECK_SKIP, "no reboot is needed");
        } else if (is_same_boot(store, r)) {
                check_set(c, CHECK_FAIL, "the host was not rebooted since");
                check_fix(c, "reboot");
        } else {
                check_set(c, CHECK_OK, "the host was rebooted since");
        }
}

static void check_cmdline(const struct machine *m, const struct record *r, struct checks *checks)
{
        size_t n = record_count(r, "expect");
        struct check *c = checks_add(checks, "setup.cmdline");
        _cleanup_(strv_freep) char **words = words_split(m->kernels.cmdline ? m->kernels.cmdline : "", " \t\n");
        size_t wrong = 0;

        if (n == 0)
                check_set(c, CHECK_SKIP, "no parameters are expected");
        else
                check_set(c, CHECK_OK, "the kernel has the %zu parameters", n);
        for (size_t i = 0; i < n; i++) {
                const char *word = json_object_get_string(record_item(r, "expect", i));

                if (words_have(words, word) || wrong++)
                        continue;
                check_set(c, CHECK_FAIL, "the kernel was started without %s", word);
                check_evidence(c, "/proc/cmdline: %s", m->kernels.cmdline ? m->kernels.cmdline : "unknown");
                check_fix(c, "see whether the boot loader's configuration was built anew: \"vfioctl setup detect\" "
                             "names the boot loader");
        }
}

static void check_drivers(const struct machine *m, const struct record *r, struct checks *checks)
{
        size_t n = record_count(r, "bound");
        struct check *c = checks_add(checks, "setup.driver");
        size_t wrong = 0;

        if (n == 0)
                check_set(c, CHECK_SKIP, "no device is to be bound at boot");
        else
                check_set(c, CHECK_OK, "%zu functions are vfio-pci's", n);
        for (size_t i = 0; i < n; i++) {
                const char *address = json_object_get_string(record_item(r, "bound", i));
                const struct pci_device *d = pci_find(&m->pci, address);

                if ((d && streq_null(d->driver, "vfio-pci")) || wrong++)
                        continue;
                check_set(c, CHECK_FAIL, "%s is bound to %s, not to vfio-pci", address,
                          !d ? "nothing, as it is not there" : d->driver ? d->driver : "no driver");
                check_fix(c, "vfioctl doctor");
        }
}

/* --- domains ------------------------------------------------------------------------------ */

static void check_domain(struct store *store, struct domain_store *domains, const struct record *r, size_t n,
                         struct check *c)
{
        const char *name = record_text(record_item(r, "domains", n), "name");
        _autofree_ char *defined = NULL, *now = NULL;
        size_t size;

        if (store_read(store, r, "domain-defined", n, &defined, &size) < 0)
                return;
        if (domain_store_read(domains, name, &now, NULL) < 0) {
                check_set(c, CHECK_FAIL, "there is no domain %s any more", name);
        } else if (!streq(now, defined)) {
                check_set(c, CHECK_WARN, "the domain %s was changed since", name);
                check_fix(c, "vfioctl setup plan --domain=%s", name);
        }
}

static void check_domains(struct store *store, const struct record *r, struct checks *checks)
{
        _cleanup_(domain_store_freep) struct domain_store *domains = NULL;
        const char *connect = record_text(r->plan, "connect");
        struct check *c = checks_add(checks, "setup.domain");
        size_t n = record_count(r, "domains");
        _autofree_ char *error = NULL;

        check_set(c, n ? CHECK_OK : CHECK_SKIP, n ? "the domain is as it was defined" : "no domain was changed");
        if (n == 0)
                return;
        if (domain_store_open(*connect ? connect : NULL, &domains, &error) < 0)
                check_set(c, CHECK_UNKNOWN, "libvirt: %s", error ? error : "cannot be reached");
        for (size_t i = 0; domains && i < n; i++)
                check_domain(store, domains, r, i, c);
}

/* --- all ---------------------------------------------------------------------------------- */

static enum exit_code check_record(struct session *s, struct store *store, const struct record *r)
{
        _cleanup_(checks_clear) struct checks checks = { 0 };
        enum exit_code code = session_look(s);

        if (code != EXIT_DONE)
                return code;
        check_files(store, r, &checks);
        check_reboot(store, r, &checks);
        check_cmdline(s->machine, r, &checks);
        check_drivers(s->machine, r, &checks);
        check_domains(store, r, &checks);
        if (s->options->json)
                session_print_json(checks_to_json(&checks));
        else if (!s->options->quiet || checks_worst(&checks) >= CHECK_WARN)
                checks_print(&checks, stdout);
        return checks_worst(&checks) >= CHECK_WARN ? EXIT_DIFFERS : EXIT_DONE;
}

enum exit_code setup_check(struct session *s)
{
        _cleanup_(store_freep) struct store *store = NULL;
        _cleanup_(record_clear) struct record r = { 0 };
        enum exit_code code = session_store(s, false, &store);
        int e = store ? store_newest(store, &r) : -ENOENT;

        if (code != EXIT_DONE)
                return code;
        if (e == -ENOENT) {
                puts("Nothing was applied.");
                return EXIT_DONE;
        }
        if (e < 0 || r.state == RECORD_UNFINISHED) {
                text_complain(e < 0 ? "The journal cannot be read" : "An apply was not finished: vfioctl setup undo");
                return EXIT_DIFFERS;
        }
        return check_record(s, store, &r);
}
