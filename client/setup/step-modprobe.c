/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What modprobe has to know so that the card is vfio-pci's from the start, and
 * KVM's option. A card that libvirt hands over when the domain starts needs
 * nothing of it. */

#include <stdarg.h>
#include <stdio.h>

#include "client/setup/step.h"

#define STEP "modprobe"
#define FILE_PATH "/etc/modprobe.d/vfio-inputd.conf"
#define HEAD "# Written by \"vfioctl setup\"; \"vfioctl setup undo\" takes it back.\n"

static void add(char **text, const char *format, ...) _printf_(2, 3);
static void add(char **text, const char *format, ...)
{
        char *line, *longer;
        va_list args;

        va_start(args, format);
        line = xvasprintf(format, args);
        va_end(args);
        longer = xasprintf("%s%s", *text, line);
        free(line);
        free(*text);
        *text = longer;
}

/* "10de:1b80,10de:10f0"; owned by the caller. */
char *modprobe_ids(const struct setup *s)
{
        _cleanup_(strv_freep) char **ids = NULL;

        for (const struct pci_device **d = s->gpus; d && *d; d++) {
                _autofree_ char *id = xasprintf("%04x:%04x", (*d)->vendor, (*d)->device);

                if (!words_have(ids, id))
                        words_add(&ids, id);
        }
        return words_join(ids, ",");
}

/* Without it the card's own driver, which may be in the initramfs as well, can be first. */
static void add_softdeps(const struct setup *s, char **text)
{
        _cleanup_(strv_freep) char **drivers = NULL;

        for (const struct pci_device **d = s->gpus; d && *d; d++)
                for (char **module = (*d)->modules; module && *module; module++)
                        if (!words_have(drivers, *module) && !streq(*module, "vfio_pci") && !streq(*module, "vfio-pci"))
                                words_add(&drivers, *module);
        for (char **driver = drivers; driver && *driver; driver++)
                add(text, "softdep %s pre: vfio-pci\n", *driver);
}

/* Every maker of an initramfs takes modprobe.d along and loads modules with
 * modprobe, so that this one line works before and after / is mounted. ids=
 * cannot tell twins apart, and udev comes after the drivers in an initramfs. */
static void add_overrides(const struct setup *s, char **text)
{
        _cleanup_(strv_freep) char **addresses = NULL;
        _autofree_ char *all = NULL;

        for (const struct pci_device **d = s->gpus; *d; d++)
                words_add(&addresses, (*d)->address);
        all = words_join(addresses, " ");
        add(text, "install vfio-pci for d in %s; do echo vfio-pci >/sys/bus/pci/devices/$d/driver_override; done; "
                  "modprobe --ignore-install vfio-pci\n",
            all);
}

static char *content(const struct setup *s)
{
        const struct kernel *kernel = kernels_current(&s->machine->kernels);
        bool built_in = kernel && kernel->vfio_pci == KERNEL_MODULE_BUILT_IN;
        _autofree_ char *ids = modprobe_ids(s), *text = xstrdup("");
        char *whole;

        if (s->gpus && s->choices->bind == BIND_IDS && !built_in)
                add(&text, "options vfio-pci ids=%s\n", ids);
        if (s->gpus && s->choices->bind == BIND_ADDRESS && !built_in)
                add_overrides(s, &text);
        if (*text)
                add_softdeps(s, &text);
        if (s->choices->ignore_msrs)
                add(&text, "options kvm ignore_msrs=1 report_ignored_msrs=0\n");
        whole = *text ? xasprintf(HEAD "%s", text) : NULL;
        return whole;
}

static void note(const struct setup *s, struct plan *p)
{
        const struct kernel *kernel = kernels_current(&s->machine->kernels);
        bool built_in = kernel && kernel->vfio_pci == KERNEL_MODULE_BUILT_IN;

        if (!s->gpus)
                plan_note(p, STEP, PLAN_NOT_NEEDED, "no card, no options of vfio-pci");
        else if (s->choices->bind == BIND_MANAGED)
                plan_note(p, STEP, PLAN_NOT_NEEDED, "libvirt hands the card over when the domain starts; --bind=ids or "
                                                    "address claims it at boot, for drivers that do not let go");
        else if (built_in && s->choices->bind == BIND_IDS)
                plan_note(p, STEP, PLAN_NOT_NEEDED, "vfio-pci is part of this kernel: its ids stand on the command line");
        else if (built_in)
                plan_note(p, STEP, PLAN_BY_HAND, "vfio-pci is part of this kernel, where nothing can tell twins apart at "
                                                 "boot: leave it to libvirt (--bind=managed)");
        else
                plan_note(p, STEP, bootloader_is_image(s->machine->bootloader.kind) ? PLAN_BY_HAND : PLAN_CHANGES,
                          "vfio-pci takes the card before its own driver can; not by a blacklist, "
                                                 "which the host's other card would feel");
        if (!s->choices->ignore_msrs)
                plan_note(p, STEP, PLAN_OPTIONAL, "ignore_msrs of KVM hides faults of all guests: only where a guest stops "
                                                  "with one (--ignore-msrs)");
}

/* On a system that is made elsewhere. */
static void print_instructions(const struct setup *s, struct plan *p, const char *text)
{
        bool nixos = s->machine->bootloader.kind == BOOTLOADER_NIXOS;
        struct plan_note *n;

        if (!text)
                return;
        n = plan_note(p, STEP, PLAN_BY_HAND, nixos ? "this goes into boot.extraModprobeConfig in configuration.nix"
                                                   : "this goes into a file in /etc/modprobe.d of the image, or of this system");
        n->lines = words_split(text + strlen(HEAD), "\n");
}

int step_modprobe_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        bool image = bootloader_is_image(s->machine->bootloader.kind);
        _autofree_ char *wanted = content(s), *text = image ? NULL : xstrdup(wanted);
        size_t before = p->n_files;
        bool binds = s->gpus && s->choices->bind != BIND_MANAGED;
        int e = plan_set_file(p, s->machine->root, STEP, FILE_PATH, text, 0644, text ? VALIDATE_MODPROBE : VALIDATE_NONE,
                              "options of vfio-pci and kvm");

        if (e < 0) {
                *ret_error = xasprintf(FILE_PATH ": %s", strerror(-e));
                return e;
        }
        note(s, p);
        if (image)
                print_instructions(s, p, wanted);
        for (const struct pci_device **d = s->gpus; binds && *d; d++)
                plan_expect_bound(p, (*d)->address);
        if (p->n_files > before)
                plan_need_reboot(p, "modules get their options when they are loaded");
        return 0;
}
