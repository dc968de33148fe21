/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vfio-pci in the images that the kernels start with: a card's own driver may be
 * in there, and takes the card long before / is mounted. */

#include "client/setup/block.h"
#include "client/setup/program.h"
#include "client/setup/step.h"

#define STEP "initramfs"
#define HEAD "# Written by \"vfioctl setup\"; \"vfioctl setup undo\" takes it back.\n"
#define TOOLS_FILE "/etc/initramfs-tools/modules"
#define MODPROBE_FILE "/etc/modprobe.d/vfio-inputd.conf"
#define DRACUT_FILE "/etc/dracut.conf.d/60-vfio-inputd.conf"
#define MKINITCPIO_CONFIG "/etc/mkinitcpio.conf"
#define MKINITCPIO_FILE "/etc/mkinitcpio.conf.d/60-vfio-inputd.conf"

/* vfio_virqfd is part of vfio since Linux 6.2, and naming it makes some builds fail. */
static char *modules(const struct setup *s, const char *separator)
{
        const struct kernels *kernels = &s->machine->kernels;
        _cleanup_(strv_freep) char **names = words_split("vfio_pci vfio vfio_iommu_type1", " ");
        bool everywhere = kernels->n_items > 0;

        for (size_t i = 0; i < kernels->n_items; i++)
                everywhere = everywhere && kernels->items[i].virqfd == KERNEL_MODULE_LOADABLE;
        if (everywhere)
                words_add(&names, "vfio_virqfd");
        return words_join(names, separator);
}

static bool is_wanted(const struct setup *s)
{
        const struct kernel *kernel = kernels_current(&s->machine->kernels);

        return s->gpus && s->choices->bind != BIND_MANAGED && (!kernel || kernel->vfio_pci != KERNEL_MODULE_BUILT_IN);
}

/* --- one maker each: the file with its new content ------------------------------------------- */

static int set_block(const struct setup *s, struct plan *p, bool wanted)
{
        _autofree_ char *lines = modules(s, "\n"), *body = xasprintf("%s\n", lines), *old = NULL, *text = NULL;
        int e = plan_content(p, s->machine->root, TOOLS_FILE, &old);

        if (e < 0 && e != -ENOENT)
                return e;
        if (!old && !wanted)
                return 0;
        e = block_set(old ? old : "", wanted ? body : NULL, &text);
        return e < 0 ? e : plan_set_file(p, s->machine->root, STEP, TOOLS_FILE, text, 0644, VALIDATE_NONE,
                                         "vfio-pci in the initramfs");
}

/* The blanks inside the quotes are part of dracut's grammar. It takes /etc/modprobe.d
 * along for hostonly images alone, which are not the default everywhere. */
static int set_dracut(const struct setup *s, struct plan *p, bool wanted)
{
        _autofree_ char *names = modules(s, " "),
                        *text = xasprintf(HEAD "force_drivers+=\" %s \"\ninstall_optional_items+=\" " MODPROBE_FILE " \"\n", names);

        return plan_set_file(p, s->machine->root, STEP, DRACUT_FILE, wanted ? text : NULL, 0644, VALIDATE_SHELL,
                             "vfio-pci in the initramfs");
}

static int set_mkinitcpio(const struct setup *s, struct plan *p, bool wanted)
{
        _autofree_ char *names = modules(s, " "), *text = xasprintf(HEAD "MODULES+=(%s)\n", names);

        return plan_set_file(p, s->machine->root, STEP, MKINITCPIO_FILE, wanted ? text : NULL, 0644, VALIDATE_NONE,
                             "vfio-pci in the initramfs");
}

/* mkinitcpio reads drop-ins since version 38. */
static bool reads_dropins(const struct root *r)
{
        _autofree_ char *path = program_find(r, "mkinitcpio"), *text = NULL;

        return root_exists(r, "/etc/mkinitcpio.conf.d") ||
               (path && root_read(r, path, &text, NULL) == 0 && strstr(text, "mkinitcpio.conf.d"));
}

/* Whether its images get modprobe.d, too. */
static bool takes_modprobe(const struct root *r)
{
        _cleanup_(strv_freep) char **lines = NULL;
        _autofree_ char *text = NULL;
        bool told = false;

        if (root_read(r, MKINITCPIO_CONFIG, &text, NULL) < 0)
                return true;
        lines = words_split(text, "\n");
        for (char **line = lines; *line; line++) {
                const char *at = *line + strspn(*line, " \t");

                if (*at != '#' && strstr(at, "modconf"))
                        return true;
                told = told || startswith(at, "HOOKS");
        }
        return !told;
}

static void by_hand(const struct setup *s, struct plan *p, const char *where, const char *format)
{
        _autofree_ char *names = modules(s, " ");
        struct plan_note *n = plan_note(p, STEP, PLAN_BY_HAND, "put vfio-pci into the initramfs, %s", where);

        words_take(&n->lines, xasprintf("%s%s", format, names));
}

/* 1: a file was set, 0: nothing that we can do. */
static int set_file(const struct setup *s, struct plan *p, bool wanted)
{
        int e = 0;

        if (bootloader_is_image(s->machine->bootloader.kind)) {
                if (wanted && s->machine->bootloader.kind == BOOTLOADER_NIXOS)
                        by_hand(s, p, "in configuration.nix", "boot.initrd.kernelModules, all of: ");
                else if (wanted)
                        by_hand(s, p, "by rpm-ostree or when the image is made",
                                "rpm-ostree initramfs --enable --arg=--force-drivers --arg=\"VFIO\", VFIO being: ");
                return 0;
        }
        switch (s->machine->initramfs.kind) {
        case INITRAMFS_TOOLS:
                e = set_block(s, p, wanted);
                return e < 0 ? e : 1;
        case INITRAMFS_DRACUT:
                e = set_dracut(s, p, wanted);
                return e < 0 ? e : 1;
        case INITRAMFS_MKINITCPIO:
                if (wanted && !takes_modprobe(s->machine->root))
                        plan_note(p, STEP, PLAN_BY_HAND, "HOOKS in " MKINITCPIO_CONFIG " lacks modconf, without which vfio-pci "
                                                         "does not know its cards at boot: add it");
                if (reads_dropins(s->machine->root)) {
                        e = set_mkinitcpio(s, p, wanted);
                        return e < 0 ? e : 1;
                }
                if (wanted)
                        by_hand(s, p, "in MODULES of /etc/mkinitcpio.conf, and run mkinitcpio -P", "");
                return 0;
        case INITRAMFS_BOOSTER:
                if (wanted)
                        by_hand(s, p, "in /etc/booster.yaml, and rebuild", "modules_force_load: ");
                return 0;
        case INITRAMFS_UNKNOWN:
                if (wanted)
                        by_hand(s, p, "whatever makes it here; --initramfs=KIND if you know", "");
                return 0;
        }
        return 0;
}

/* The options in modprobe.d are in the images as well. */
static void add_rebuild(const struct setup *s, struct plan *p)
{
        const char *const *word = (const char *const *) s->machine->initramfs.command;
        struct plan_command *c;
        char **argv = NULL;

        for (; word && *word; word++)
                words_add(&argv, *word);
        if (!argv)
                return;
        c = plan_add_command(p, STEP, argv, "rebuilds the initramfs of every kernel");
        c->is_rebuild = true;
}

static bool changes_images(const struct plan *p)
{
        for (size_t i = 0; i < p->n_files; i++)
                if (streq(p->files[i].step, STEP) || streq(p->files[i].step, "modprobe"))
                        return true;
        return false;
}

int step_initramfs_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        bool wanted = is_wanted(s);
        int e = set_file(s, p, wanted);

        if (e < 0) {
                *ret_error = xasprintf("the configuration of %s: %s", initramfs_name(s->machine->initramfs.kind),
                                       e == -EBADMSG ? "the block of vfio-inputd in it is damaged" : strerror(-e));
                return e;
        }
        if (!wanted)
                plan_note(p, STEP, PLAN_NOT_NEEDED, "nothing is claimed at boot, so the initramfs needs no vfio-pci");
        else if (e > 0)
                plan_note(p, STEP, changes_images(p) ? PLAN_CHANGES : PLAN_DONE, "vfio-pci is loaded from the initramfs, by %s",
                          initramfs_name(s->machine->initramfs.kind));
        if (changes_images(p))
                add_rebuild(s, p);
        return 0;
}
