/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/leftovers.h"

#include "client/setup/account.h"
#include "client/setup/kernel-token.h"
#include "client/setup/vfio-ids.h"
#include "client/setup/virconf.h"

/* --- text, line by line ------------------------------------------------------------------ */

static char *append(char *text, const char *more, size_t n)
{
        _autofree_ char *old = text;

        return xasprintf("%s%.*s", old, (int) n, more);
}

/* The text without the lines for which drop() holds, byte for byte. */
static char *without_lines(const char *text, bool (*drop)(const char *line, bool *state))
{
        char *kept = xstrdup("");
        bool state = false;

        for (const char *at = text; *at;) {
                size_t n = strcspn(at, "\n");
                _autofree_ char *line = xasprintf("%.*s", (int) n, at);

                n += at[n] == '\n';
                if (!drop(line, &state))
                        kept = append(kept, at, n);
                at += n;
        }
        return kept;
}

/* A line without the words for which drop() holds, and one blank with each. */
static char *without_words(const struct machine *m, const char *line,
                           bool (*drop)(const struct machine *m, const char *word))
{
        static const char ends[] = " \t\"'()";
        char *kept = xstrdup("");

        for (const char *at = line; *at;) {
                size_t n = strcspn(at, ends);
                _autofree_ char *word = xasprintf("%.*s", (int) n, at);
                size_t kept_size = strlen(kept);

                if (n > 0 && drop(m, word)) {
                        at += n;
                        if (*at == ' ')
                                at++;
                        else if (kept_size > 0 && kept[kept_size - 1] == ' ')
                                kept[kept_size - 1] = '\0';
                        continue;
                }
                n += at[n] != '\0';
                kept = append(kept, at, n);
                at += n;
        }
        return kept;
}

/* The same in all lines but comments. */
static char *edit_words(const struct machine *m, const char *text,
                        bool (*drop)(const struct machine *m, const char *word))
{
        char *kept = xstrdup("");

        for (const char *at = text; *at;) {
                size_t n = strcspn(at, "\n");
                _autofree_ char *line = xasprintf("%.*s", (int) n, at), *edited = NULL;
                bool ours = line[strspn(line, " \t")] != '#';

                edited = ours ? without_words(m, line, drop) : xstrdup(line);
                n += at[n] == '\n';
                if (streq(edited, line) || edited[strspn(edited, " \t")]) {
                        _autofree_ char *whole = xasprintf("%s%s", edited, at[n - 1] == '\n' ? "\n" : "");

                        kept = append(kept, whole, strlen(whole));
                }
                at += n;
        }
        return kept;
}

/* --- the kernel's parameters ---------------------------------------------------------------- */

static const char *const cmdline_paths[] = { "/etc/default/grub", "/etc/kernel/cmdline", "/etc/default/limine", NULL };

static bool is_useless(const struct machine *m, const char *word)
{
        _autofree_ char *reason = NULL;

        return streq(word, "video=efifb:off") ||
               kernel_token_judge(word, m->cpu.vendor, &reason) != KERNEL_TOKEN_FINE;
}

static char *edit_useless(const struct machine *m, const char *text)
{
        return edit_words(m, text, is_useless);
}

/* modprobe.d has them, too, and this kernel reads them there. */
static bool ids_are_in_modprobe(const struct machine *m)
{
        _cleanup_(vfio_ids_clear) struct vfio_ids v = { 0 };
        bool found = false;

        if (vfio_ids_load(m, &v) < 0)
                return false;
        for (size_t i = 0; i < v.n_sources; i++)
                found |= !v.sources[i].on_cmdline && v.sources[i].state == VFIO_IDS_EFFECTIVE;
        return found;
}

static bool is_ids(const struct machine *m, const char *word)
{
        return startswith(word, "vfio-pci.ids=") || startswith(word, "vfio_pci.ids=");
}

static char *edit_ids(const struct machine *m, const char *text)
{
        return ids_are_in_modprobe(m) ? edit_words(m, text, is_ids) : xstrdup(text);
}

/* --- modules -------------------------------------------------------------------------------- */

static const char *const initramfs_paths[] = { "/etc/initramfs-tools/modules", "/etc/mkinitcpio.conf",
                                               "/etc/mkinitcpio.conf.d/", "/etc/dracut.conf.d/", NULL };

static bool is_virqfd(const struct machine *m, const char *word)
{
        return streq(word, "vfio_virqfd");
}

static char *edit_virqfd(const struct machine *m, const char *text)
{
        for (size_t i = 0; i < m->kernels.n_items; i++)
                if (m->kernels.items[i].virqfd != KERNEL_MODULE_NONE)
                        return xstrdup(text);
        return m->kernels.n_items ? edit_words(m, text, is_virqfd) : xstrdup(text);
}

static bool is_blacklist(const char *line, bool *state)
{
        static const char *const drivers[] = { "nouveau", "nvidia", "nvidia_drm", "amdgpu", "radeon", "i915", "xe",
                                               "snd_hda_intel" };
        _cleanup_(strv_freep) char **words = words_split(line, " \t");

        for (size_t i = 0; words_count(words) == 2 && i < ARRAY_SIZE(drivers); i++)
                if (streq(words[0], "blacklist") && streq(words[1], drivers[i]))
                        return true;
        return false;
}

static char *edit_blacklist(const struct machine *m, const char *text)
{
        return without_lines(text, is_blacklist);
}

/* --- qemu.conf ------------------------------------------------------------------------------ */

static bool is_user_line(const char *line, bool *state)
{
        _cleanup_(strv_freep) char **words = words_split(line, " \t=\"'");

        if (words_count(words) < 2 || !strchr(line, '='))
                return false;
        if (streq(words[0], "user") && (streq(words[1], "vfio") || streq(words[1], "root")))
                return true;
        return streq(words[0], "group") && (streq(words[1], "vfio") || streq(words[1], "root"));
}

static char *edit_user(const struct machine *m, const char *text)
{
        return without_lines(text, is_user_line);
}

/* The text with its bytes from name to the end of the line replaced; by: NULL takes the line out. */
static char *replace_entry(const char *text, const struct virconf_entry *e, const char *by)
{
        size_t start = e->start, end = e->end + strcspn(text + e->end, "\n");

        if (by)
                return xasprintf("%.*s%s%s", (int) e->start, text, by, text + e->end);
        while (start > 0 && text[start - 1] != '\n')
                start--;
        end += text[end] == '\n';
        return xasprintf("%.*s%s", (int) start, text, text + end);
}

static bool is_shipped_node(const char *node)
{
        static const char *const nodes[] = { "/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom",
                                             "/dev/ptmx", "/dev/kvm", "/dev/kqemu", "/dev/rtc", "/dev/hpet",
                                             "/dev/vfio/vfio", "/dev/userfaultfd", "/dev/sev" };

        for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
                if (streq(node, nodes[i]))
                        return true;
        return false;
}

/* Without input nodes and what is built in nothing may be left: then all of it goes. */
static char *edit_acl_entry(const char *text, const struct virconf_entry *e)
{
        _cleanup_(strv_freep) char **kept = NULL;
        _autofree_ char *list = NULL, *by = NULL;
        bool input = false, other = false;

        for (char **node = e->words; node && *node; node++) {
                if (startswith(*node, "/dev/input/")) {
                        input = true;
                        continue;
                }
                other |= !is_shipped_node(*node);
                words_add(&kept, *node);
        }
        if (!input)
                return xstrdup(text);
        list = words_join(kept, "\",\n    \"");
        by = other ? xasprintf("[\n    \"%s\"\n]", list) : NULL;
        return replace_entry(text, e, by);
}

/* A list of firmware and nothing else goes as a whole. */
static char *edit_nvram_entry(const char *text, const struct virconf_entry *e)
{
        for (char **word = e->words; word && *word; word++)
                if (!strstr(*word, "OVMF") && !strstr(*word, "AAVMF"))
                        return xstrdup(text);
        return replace_entry(text, e, NULL);
}

/* An unquoted user hides all else from a strict reader, so a text that cannot be
 * read is looked at without it. Owned by the caller, NULL: there is no such list. */
static char *edit_list(const struct machine *m, const char *text, const char *name,
                       char *(*edit)(const char *text, const struct virconf_entry *e))
{
        _cleanup_(virconf_clear) struct virconf v = { 0 };
        _autofree_ char *error = NULL, *mended = NULL, *again = NULL, *edited = NULL;
        const struct virconf_entry *e;

        if (virconf_parse(text, &v, &error) < 0) {
                mended = edit_user(m, text);
                if (streq(mended, text) || virconf_parse(mended, &v, &again) < 0)
                        return NULL;
        }
        e = virconf_get(&v, name);
        if (!e || e->type != VIRCONF_LIST)
                return NULL;
        edited = edit(mended ?: text, e);
        return streq(edited, mended ?: text) ? NULL : TAKE_PTR(edited);
}

static char *edit_acl(const struct machine *m, const char *text)
{
        return edit_list(m, text, "cgroup_device_acl", edit_acl_entry) ?: xstrdup(text);
}

static char *edit_nvram(const struct machine *m, const char *text)
{
        return edit_list(m, text, "nvram", edit_nvram_entry) ?: xstrdup(text);
}

/* --- AppArmor and domains ---------------------------------------------------------------------- */

/* state: inside a block of ours. */
static bool is_input_rule(const char *line, bool *state)
{
        if (startswith(line, "# begin vfio-inputd"))
                *state = true;
        else if (startswith(line, "# end vfio-inputd"))
                *state = false;
        line += strspn(line, " \t\"");
        return !*state && startswith(line, "/dev/input/");
}

static char *edit_apparmor(const struct machine *m, const char *text)
{
        return without_lines(text, is_input_rule);
}

static bool is_input_linux(const char *line, bool *state)
{
        return strstr(line, "input-linux");
}

static char *edit_domain(const struct machine *m, const char *text)
{
        return without_lines(text, is_input_linux);
}

static const char *const conf_paths[] = { "/etc/libvirt/qemu.conf", NULL };
static const char *const apparmor_paths[] = { "/etc/apparmor.d/abstractions/libvirt-qemu",
                                              "/etc/apparmor.d/local/abstractions/libvirt-qemu",
                                              "/etc/apparmor.d/abstractions/libvirt-qemu.d/", NULL };
static const char *const modprobe_paths[] = { "/etc/modprobe.d/", NULL };
static const char *const domain_paths[] = { "/etc/libvirt/qemu/", NULL };

const struct leftover_rule leftover_rules[] = {
        { "guide.cmdline", "kernel parameters that do nothing", "misspelt (iommpu=pt), or unknown to this kernel's IOMMU "
          "(amd_iommu=on), or needless (video=efifb:off: vfio-pci takes the framebuffer over itself)",
          cmdline_paths, edit_useless, .in_boot = true },
        { "guide.ids-twice", "vfio-pci's ids, which modprobe.d sets, too", "two places drift apart; modprobe.d is enough "
          "where vfio-pci is a module", cmdline_paths, edit_ids, .in_boot = true },
        { "guide.virqfd", "the module vfio_virqfd", "it is part of vfio since Linux 6.2: the initramfs complains that it is "
          "missing", initramfs_paths, edit_virqfd, .in_initramfs = true },
        { "guide.blacklist", "a driver on the blacklist", "vfio-pci needs only to come first (softdep), and the host may "
          "need that driver for its own card", modprobe_paths, edit_blacklist, .by_hand = true },
        { "guide.user", "QEMU's user or group", "with <input type='evdev'> QEMU needs no user of its own; without quotes "
          "libvirt reads nothing of the file", conf_paths, edit_user, .by_hand = false },
        { "guide.acl", "input nodes in cgroup_device_acl", "libvirt allows the node of <input type='evdev'> itself, the "
          "kernel numbers devices anew at each boot, and the list replaces the one that is built in",
          conf_paths, edit_acl, .by_hand = false },
        { "guide.nvram", "a list of firmware (nvram)", "libvirt finds firmware by the descriptors in "
          "/usr/share/qemu/firmware", conf_paths, edit_nvram, .by_hand = false },
        { "guide.apparmor", "rules for /dev/input", "libvirt allows the node of <input type='evdev'> for the one domain "
          "that names it; these are for every guest, and in a packaged file the next update asks about them",
          apparmor_paths, edit_apparmor, .by_hand = false },
        { "guide.qemu-args", "a domain with input-linux behind libvirt's back (qemu:arg)", "libvirt opens no door to such "
          "a node, so all others have to be opened by hand", domain_paths, edit_domain, .by_hand = true },
        { .id = NULL },
};

/* --- finding them ------------------------------------------------------------------------------ */

static void look_at(const struct machine *m, const struct leftover_rule *rule, const char *path, char ***ret,
                    char ***ret_unread)
{
        _autofree_ char *text = NULL, *edited = NULL;
        int e = root_read(m->root, path, &text, NULL);

        if (e == -EACCES || e == -EPERM)
                words_add(ret_unread, path);
        if (e < 0)
                return;
        edited = rule->edit(m, text);
        if (!streq(edited, text))
                words_add(ret, path);
}

void leftovers_find(const struct machine *m, const struct leftover_rule *rule, char ***ret, char ***ret_unread)
{
        for (const char *const *path = rule->paths; *path; path++) {
                _cleanup_(strv_freep) char **names = NULL;
                int e;

                if ((*path)[strlen(*path) - 1] != '/') {
                        look_at(m, rule, *path, ret, ret_unread);
                        continue;
                }
                e = root_list(m->root, *path, &names);
                if (e == -EACCES)
                        words_add(ret_unread, *path);
                for (char **name = e < 0 ? NULL : names; name && *name; name++) {
                        _autofree_ char *full = xasprintf("%s%s", *path, *name);

                        look_at(m, rule, full, ret, ret_unread);
                }
        }
}

char **leftovers_input_members(const struct machine *m)
{
        static const char *const users[] = { "vfio", "libvirt-qemu", "qemu" };
        _autofree_ char *passwd = NULL, *group = NULL;
        char **members = NULL;

        if (root_read(m->root, "/etc/group", &group, NULL) < 0)
                return NULL;
        (void) root_read(m->root, "/etc/passwd", &passwd, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(users); i++)
                if (account_is_member(passwd ?: "", group, users[i], "input"))
                        words_add(&members, users[i]);
        return members;
}

bool leftovers_has_user(const struct machine *m)
{
        _cleanup_(strv_freep) char **entry = NULL;
        _autofree_ char *passwd = NULL;

        if (root_read(m->root, "/etc/passwd", &passwd, NULL) < 0)
                return false;
        entry = account_find(passwd, "vfio");
        return entry;
}
