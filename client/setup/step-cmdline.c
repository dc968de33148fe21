/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The kernel's parameters: which are wanted at all, and how each boot loader is
 * told. Most of what guides put here is of no use any more, and is said so. */

#include "client/setup/shell-assign.h"
#include "client/setup/step.h"

#define STEP "cmdline"
#define GRUB_NAME "GRUB_CMDLINE_LINUX_DEFAULT"
#define GRUB_FILE "/etc/default/grub"
#define GRUB_DROPIN "/etc/default/grub.d/60-vfio-inputd.cfg"
#define KERNEL_CMDLINE "/etc/kernel/cmdline"
#define LIMINE_FILE "/etc/default/limine"
#define LIMINE_NAME "KERNEL_CMDLINE[default]"
#define KERNELSTUB_FILE "/etc/kernelstub/configuration"
#define ENTRIES "/boot/loader/entries"

/* --- which words ------------------------------------------------------------------------------ */

static void want_iommu(const struct setup *s, struct plan *p, char ***words)
{
        const struct machine *m = s->machine;

        if (m->iommu.known && !m->iommu.enabled && m->iommu.dmar)
                words_add(words, "intel_iommu=on");
        else if (m->iommu.ivrs)
                plan_note(p, STEP, PLAN_NOT_NEEDED, "amd_iommu=on: the kernel knows no such value, AMD's IOMMU is on without "
                                                    "it");
        else if (m->iommu.enabled)
                plan_note(p, STEP, PLAN_DONE, "the IOMMU is on");
        if (s->choices->iommu_pt)
                words_add(words, "iommu=pt");
        else
                plan_note(p, STEP, PLAN_OPTIONAL, "iommu=pt spares the host's own devices some work, passing through does not "
                                                  "need it (--iommu-pt)");
}

static void want_ids(const struct setup *s, char ***words)
{
        const struct kernel *kernel = kernels_current(&s->machine->kernels);
        _autofree_ char *ids = modprobe_ids(s);

        if (s->gpus && s->choices->bind == BIND_IDS && kernel && kernel->vfio_pci == KERNEL_MODULE_BUILT_IN)
                words_take(words, xasprintf("vfio-pci.ids=%s", ids));
}

static void want_framebuffer(const struct setup *s, struct plan *p, char ***words)
{
        if (s->choices->no_framebuffer)
                words_add(words, "initcall_blacklist=sysfb_init");
        else
                plan_note(p, STEP, PLAN_NOT_NEEDED, "video=efifb:off: vfio-pci takes the card from the firmware's framebuffer "
                                                    "itself, and newer kernels have another one (--no-framebuffer if the "
                                                    "kernel log says \"can't reserve\")");
}

static int want_isolation(const struct setup *s, struct plan *p, char ***words, char **ret_error)
{
        static const char *const names[] = { "isolcpus", "nohz_full", "rcu_nocbs" };
        struct cpu_proposal proposal;
        _autofree_ char *guest = NULL;
        int e;

        if (s->choices->isolate != ISOLATE_ISOLCPUS) {
                plan_note(p, STEP, PLAN_NOT_NEEDED, "isolcpus, nohz_full, rcu_nocbs: they hold until the next boot, also "
                                                    "without a guest; --isolate=slices moves the host away while it runs");
                return 0;
        }
        e = cpu_choose(&s->machine->cpu, s->choices->cpus, &proposal, ret_error);
        if (e < 0)
                return e;
        guest = cpu_set_format(&proposal.guest);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                words_take(words, xasprintf("%s=%s", names[i], guest));
        return 0;
}

/* --- of the same name, with another value ----------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
        for (; *a && *b && *a != '='; a++, b++)
                if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
                        return false;
        return *a == '=' && *b == '=';
}

/* Another list of ids or CPUs would count, too, and another iommu= may undo ours. */
static void tell_of_others(const struct setup *s, struct plan *p, char *const *wanted)
{
        _cleanup_(strv_freep) char **running = words_split(s->machine->kernels.cmdline ? s->machine->kernels.cmdline : "",
                                                           " \t\n");

        for (char **word = running; *word; word++)
                for (char *const *mine = wanted; mine && *mine; mine++)
                        if (same_name(*word, *mine) && !streq(*word, *mine))
                                plan_note(p, STEP, PLAN_BY_HAND, "the kernel was started with %s, too: if it still has that after "
                                                                 "the next boot, take it out where it stands",
                                          *word);
}

/* --- one boot loader each ------------------------------------------------------------------------ */

/* The kernel takes - for _ in a name: vfio_pci.ids is vfio-pci.ids. */
static bool is_same(const char *a, const char *b)
{
        for (; *a && *a != '='; a++, b++)
                if (*a != *b && !(strchr("-_", *a) && *b && strchr("-_", *b)))
                        return false;
        return streq(a, b);
}

static bool runs_with(char *const *running, const char *word)
{
        for (; *running; running++)
                if (is_same(*running, word))
                        return true;
        return false;
}

/* What somebody else has seen to already is not ours to write again. */
static char **missing(const struct setup *s, char *const *wanted, const char *ours)
{
        _cleanup_(strv_freep) char **running = words_split(s->machine->kernels.cmdline ? s->machine->kernels.cmdline : "",
                                                           " \t\n");
        _cleanup_(strv_freep) char **own = words_split(ours ? ours : "", " \t\n\"}");
        char **list = NULL;

        for (; wanted && *wanted; wanted++)
                if (!runs_with(running, *wanted) || words_have(own, *wanted))
                        words_add(&list, *wanted);
        return list;
}

static int set_dropin(const struct setup *s, struct plan *p, char *const *wanted)
{
        _autofree_ char *old = NULL, *all = NULL, *text = NULL;
        _cleanup_(strv_freep) char **words = NULL;
        int e = plan_content(p, s->machine->root, GRUB_DROPIN, &old);

        if (e < 0 && e != -ENOENT)
                return e;
        words = missing(s, wanted, old);
        all = words_join(words, " ");
        text = xasprintf("# Written by \"vfioctl setup\"; \"vfioctl setup undo\" takes it back.\n" GRUB_NAME
                         "=\"${" GRUB_NAME ":+$" GRUB_NAME " }%s\"\n",
                         all);
        return plan_set_file(p, s->machine->root, STEP, GRUB_DROPIN, words ? text : NULL, 0644,
                             words ? VALIDATE_SHELL : VALIDATE_NONE, "parameters of the kernel");
}

static void by_hand(struct plan *p, char *const *words, const char *text, const char *before, const char *after)
{
        _autofree_ char *all = words_join(words, " ");

        words_take(&plan_note(p, STEP, PLAN_BY_HAND, "%s", text)->lines, xasprintf("%s%s%s", before, all, after));
}

/* What boots nothing if it holds our words alone: it should say where / is. 1: left to the person. */
static int refuse_empty(struct plan *p, const char *path, char *const *wanted)
{
        _autofree_ char *text = xasprintf("%s has no parameters yet, and with only these the kernel would not find its root: "
                                          "add them to those that it needs",
                                          path);

        by_hand(p, wanted, text, "", "");
        return 1;
}

static int add_to_assignment(const struct setup *s, struct plan *p, char *const *wanted, const char *path, const char *name)
{
        _autofree_ char *old = NULL, *text = NULL;
        _cleanup_(strv_freep) char **there = NULL;
        int e = plan_content(p, s->machine->root, path, &old);

        if (e == 0 && streq(path, LIMINE_FILE)) {
                e = shell_assign_words(old, name, &there);
                if (e == -ENOENT || (e == 0 && !there[0]))
                        return refuse_empty(p, path, wanted);
        }
        if (e == 0)
                e = shell_assign_add(old, name, wanted, &text);
        return e < 0 ? e : plan_set_file(p, s->machine->root, STEP, path, text, 0644,
                                         streq(path, GRUB_FILE) ? VALIDATE_SHELL : VALIDATE_NONE, "parameters of the kernel");
}

static int add_to_cmdline(const struct setup *s, struct plan *p, char *const *wanted)
{
        _cleanup_(strv_freep) char **there = NULL, **more = NULL;
        _autofree_ char *old = NULL, *all = NULL, *text = NULL;
        int e = plan_content(p, s->machine->root, KERNEL_CMDLINE, &old);
        size_t n;

        if (e < 0 && e != -ENOENT)
                return e;
        there = words_split(old ? old : "", " \t\n");
        if (!there[0])
                return refuse_empty(p, KERNEL_CMDLINE, wanted);
        for (; wanted && *wanted; wanted++)
                if (!words_have(there, *wanted))
                        words_add(&more, *wanted);
        if (!more)
                return 0;
        all = words_join(more, " ");
        n = strlen(old);
        while (n > 0 && strchr(" \t\n", old[n - 1]))
                n--;
        text = xasprintf("%.*s%s%s\n", (int) n, old, n > 0 ? " " : "", all);
        return plan_set_file(p, s->machine->root, STEP, KERNEL_CMDLINE, text, 0644, VALIDATE_CMDLINE,
                             "parameters of the kernel");
}

/* Whether every entry of the boot loader has that word. */
static bool in_all_entries(const struct root *r, const char *word)
{
        _cleanup_(strv_freep) char **names = NULL;

        if (root_list(r, ENTRIES, &names) < 0 || !names[0])
                return false;
        for (char **name = names; *name; name++) {
                _autofree_ char *path = xasprintf(ENTRIES "/%s", *name), *text = NULL;
                _cleanup_(strv_freep) char **words = NULL;

                if (root_read(r, path, &text, NULL) < 0)
                        return false;
                words = words_split(text, " \t\n");
                if (!words_have(words, word))
                        return false;
        }
        return true;
}

static int run_grubby(const struct setup *s, struct plan *p, char *const *wanted)
{
        _cleanup_(strv_freep) char **words = missing(s, wanted, NULL), **left = NULL;
        _autofree_ char *all = NULL;
        struct plan_command *c;
        char **argv = NULL, **undo = NULL;

        for (char **word = words; word && *word; word++)
                if (!in_all_entries(s->machine->root, *word))
                        words_add(&left, *word);
        if (!left)
                return 0;
        all = words_join(left, " ");
        words_add(&argv, "grubby");
        words_add(&argv, "--update-kernel=ALL");
        words_take(&argv, xasprintf("--args=%s", all));
        words_add(&undo, "grubby");
        words_add(&undo, "--update-kernel=ALL");
        words_take(&undo, xasprintf("--remove-args=%s", all));
        c = plan_add_command(p, STEP, argv, "parameters of the kernel, in the entries of all kernels");
        c->undo = undo;
        return 0;
}

static int run_kernelstub(const struct setup *s, struct plan *p, char *const *wanted)
{
        _cleanup_(strv_freep) char **words = missing(s, wanted, NULL);
        _autofree_ char *configuration = NULL;

        (void) root_read(s->machine->root, KERNELSTUB_FILE, &configuration, NULL);
        for (char **word = words; word && *word; word++) {
                _autofree_ char *entry = xasprintf("\"%s\"", *word);
                char **argv = NULL, **undo = NULL;

                if (configuration && strstr(configuration, entry))
                        continue;
                words_add(&argv, "kernelstub");
                words_add(&argv, "--add-options");
                words_add(&argv, *word);
                words_add(&undo, "kernelstub");
                words_add(&undo, "--delete-options");
                words_add(&undo, *word);
                plan_add_command(p, STEP, argv, "parameters of the kernel")->undo = undo;
        }
        return 0;
}

static void print_instructions(const struct setup *s, struct plan *p, char *const *wanted)
{
        _cleanup_(strv_freep) char **words = missing(s, wanted, NULL), **each = NULL;

        if (!words)
                return;
        switch (s->machine->bootloader.kind) {
        case BOOTLOADER_IMAGE:
                for (char **word = words; *word; word++)
                        words_take(&each, xasprintf("--append-if-missing=%s", *word));
                by_hand(p, each, "this system is an image, which keeps the parameters itself", "rpm-ostree kargs ", "");
                break;
        case BOOTLOADER_NIXOS:
                for (char **word = words; *word; word++)
                        words_take(&each, xasprintf("\"%s\"", *word));
                by_hand(p, each, "this goes into /etc/nixos/configuration.nix", "boot.kernelParams = [ ", " ];");
                break;
        case BOOTLOADER_UNKNOWN:
        case BOOTLOADER_GRUB_DROPIN:
        case BOOTLOADER_GRUB:
        case BOOTLOADER_GRUBBY:
        case BOOTLOADER_KERNELSTUB:
        case BOOTLOADER_SYSTEMD_BOOT:
        case BOOTLOADER_LIMINE:
                by_hand(p, words, "it is not clear which boot loader this is: add these words to the kernel's parameters, or "
                                  "name it with --bootloader",
                        "", "");
                break;
        }
}

static int tell(const struct setup *s, struct plan *p, char *const *wanted)
{
        _cleanup_(strv_freep) char **words = missing(s, wanted, NULL);

        switch (s->machine->bootloader.kind) {
        case BOOTLOADER_GRUB_DROPIN:
                return set_dropin(s, p, wanted);
        case BOOTLOADER_GRUB:
                return words ? add_to_assignment(s, p, words, GRUB_FILE, GRUB_NAME) : 0;
        case BOOTLOADER_LIMINE:
                return words ? add_to_assignment(s, p, words, LIMINE_FILE, LIMINE_NAME) : 0;
        case BOOTLOADER_GRUBBY:
                return run_grubby(s, p, wanted);
        case BOOTLOADER_KERNELSTUB:
                return run_kernelstub(s, p, wanted);
        case BOOTLOADER_SYSTEMD_BOOT:
                return words ? add_to_cmdline(s, p, words) : 0;
        case BOOTLOADER_UNKNOWN:
        case BOOTLOADER_IMAGE:
        case BOOTLOADER_NIXOS:
                print_instructions(s, p, wanted);
                return 0;
        }
        return 0;
}

static void add_rebuild(const struct setup *s, struct plan *p)
{
        char **argv = NULL;

        for (char **word = s->machine->bootloader.command; word && *word; word++)
                words_add(&argv, *word);
        if (argv)
                plan_add_command(p, STEP, argv, "builds what the boot loader reads")->is_rebuild = true;
        else
                plan_note(p, STEP, PLAN_BY_HAND, "rebuild what the boot loader reads; how is not known here");
}

int step_cmdline_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        size_t files = p->n_files, commands = p->n_commands;
        _cleanup_(strv_freep) char **wanted = NULL;
        int e;

        want_iommu(s, p, &wanted);
        want_ids(s, &wanted);
        want_framebuffer(s, p, &wanted);
        e = want_isolation(s, p, &wanted, ret_error);
        if (e < 0)
                return e;
        tell_of_others(s, p, wanted);
        e = tell(s, p, wanted);
        if (e < 0) {
                *ret_error = xasprintf("the parameters in %s cannot be changed: %s",
                                       s->machine->bootloader.config ? s->machine->bootloader.config : "the boot loader",
                                       e == -EBADMSG ? "their quotes or conditions are such that nothing can be added safely"
                                                     : strerror(-e));
                return e;
        }
        if (p->n_files > files)
                add_rebuild(s, p);
        for (char **word = wanted; word && *word; word++)
                plan_expect(p, *word);
        if (p->n_files > files || p->n_commands > commands) {
                plan_note(p, STEP, PLAN_CHANGES, "parameters are given to the kernel by %s",
                          bootloader_name(s->machine->bootloader.kind));
                plan_need_reboot(p, "the kernel gets its parameters when it starts");
        } else if (e == 0 && wanted && bootloader_is_writable(s->machine->bootloader.kind)) {
                plan_note(p, STEP, PLAN_DONE, "the kernel has the parameters that it needs");
        }
        return 0;
}
