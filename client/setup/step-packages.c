/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* QEMU, libvirt, the guest's firmware: known by what they put on the disk, as
 * packages are called otherwise everywhere. */

#include "client/setup/program.h"
#include "client/setup/step.h"

#define STEP "packages"
#define FIRMWARE "/usr/share/qemu/firmware"

enum need {
        NEED_QEMU,
        NEED_LIBVIRT,
        NEED_FIRMWARE,
        NEED_IMAGES, /* only for the disk of a new domain */
        NEED_MAX_,
};

static const struct manager {
        const char *program;
        const char *install[4];     /* words before the packages */
        const char *names[NEED_MAX_];
} managers[] = {
        { "apt-get", { "apt-get", "install", "--yes" }, { "qemu-system-x86", "libvirt-daemon-system", "ovmf", "qemu-utils" } },
        { "dnf", { "dnf", "install", "--assumeyes" }, { "qemu-kvm", "libvirt", "edk2-ovmf", "qemu-img" } },
        { "pacman", { "pacman", "-S", "--noconfirm", "--needed" }, { "qemu-desktop", "libvirt", "edk2-ovmf", "qemu-img" } },
        { "zypper", { "zypper", "--non-interactive", "install" }, { "qemu-x86", "libvirt-daemon-qemu", "qemu-ovmf-x86_64",
                                                                "qemu-img" } },
};

static bool has_qemu(const struct root *r)
{
        return program_exists(r, "qemu-system-x86_64") || program_exists(r, "qemu-kvm") ||
               root_exists(r, "/usr/libexec/qemu-kvm");
}

static bool has_firmware(const struct root *r)
{
        _cleanup_(strv_freep) char **names = NULL;

        return root_list(r, FIRMWARE, &names) == 0 && names[0];
}

static const struct manager *find_manager(const struct root *r)
{
        for (size_t i = 0; i < ARRAY_SIZE(managers); i++)
                if (program_exists(r, managers[i].program))
                        return &managers[i];
        return NULL;
}

static char **command(const struct manager *manager, const bool missing[NEED_MAX_])
{
        char **argv = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(manager->install) && manager->install[i]; i++)
                words_add(&argv, manager->install[i]);
        for (size_t i = 0; i < NEED_MAX_; i++)
                if (missing[i])
                        words_add(&argv, manager->names[i]);
        return argv;
}

static void plan_install(const struct setup *s, struct plan *p, char **argv)
{
        _autofree_ char *line = words_join(argv, " ");

        if (s->choices->install_packages) {
                struct plan_command *c = plan_add_command(p, STEP, argv, "installs what is missing");

                c->no_undo = true;
                plan_note(p, STEP, PLAN_CHANGES, "packages are installed");
                return;
        }
        words_add(&plan_note(p, STEP, PLAN_BY_HAND, "packages are missing: install them, or say --install-packages")->lines,
                  line);
        (void) strv_free(argv);
}

int step_packages_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        const struct root *r = s->machine->root;
        const struct manager *manager = find_manager(r);
        bool tpm = program_exists(r, "swtpm");
        const bool missing[NEED_MAX_] = {
                [NEED_QEMU] = !has_qemu(r),
                [NEED_LIBVIRT] = !program_exists(r, "libvirtd") && !program_exists(r, "virtqemud"),
                [NEED_FIRMWARE] = !has_firmware(r),
                [NEED_IMAGES] = s->choices->create && !program_exists(r, "qemu-img"),
        };

        if (!missing[NEED_QEMU] && !missing[NEED_LIBVIRT] && !missing[NEED_FIRMWARE] && !missing[NEED_IMAGES])
                plan_note(p, STEP, PLAN_DONE, "QEMU, libvirt and UEFI firmware for guests are installed");
        else if (manager)
                plan_install(s, p, command(manager, missing));
        else
                plan_note(p, STEP, PLAN_BY_HAND, "missing: %s%s%s%s", missing[NEED_QEMU] ? "QEMU " : "",
                          missing[NEED_LIBVIRT] ? "libvirt " : "", missing[NEED_FIRMWARE] ? "OVMF " : "",
                          missing[NEED_IMAGES] ? "qemu-img" : "");
        plan_note(p, STEP, tpm ? PLAN_DONE : PLAN_OPTIONAL,
                  tpm ? "swtpm, the TPM that Windows 11 asks for, is installed"
                      : "Windows 11 asks for a TPM: install the package swtpm for such a guest");
        return 0;
}
