/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/bootloader.h"

#include "client/setup/program.h"
#include "client/setup/words.h"

#define KERNEL_CMDLINE "/etc/kernel/cmdline"
#define LOADER_INFO "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

const char *bootloader_name(enum bootloader_kind kind)
{
        switch (kind) {
        case BOOTLOADER_UNKNOWN:
                return "unknown";
        case BOOTLOADER_GRUB_DROPIN:
                return "GRUB with /etc/default/grub.d";
        case BOOTLOADER_GRUB:
                return "GRUB";
        case BOOTLOADER_GRUBBY:
                return "grubby";
        case BOOTLOADER_KERNELSTUB:
                return "kernelstub";
        case BOOTLOADER_SYSTEMD_BOOT:
                return "systemd-boot";
        case BOOTLOADER_LIMINE:
                return "Limine";
        case BOOTLOADER_IMAGE:
                return "image-based system";
        case BOOTLOADER_NIXOS:
                return "NixOS";
        }
        return "";
}

bool bootloader_is_image(enum bootloader_kind kind)
{
        return kind == BOOTLOADER_IMAGE || kind == BOOTLOADER_NIXOS;
}

bool bootloader_is_writable(enum bootloader_kind kind)
{
        return kind != BOOTLOADER_UNKNOWN && !bootloader_is_image(kind);
}

/* --- what was started ------------------------------------------------------------- */

/* A UEFI variable: four bytes of attributes, then UTF-16. */
static char *read_loader(const struct root *r)
{
        _autofree_ char *data = NULL, *name = NULL;
        size_t size, n = 0;

        if (root_read(r, LOADER_INFO, &data, &size) < 0)
                return NULL;
        name = xcalloc(size / 2 + 1, 1);
        for (size_t i = 4; i + 1 < size && (data[i] || data[i + 1]); i += 2)
                name[n++] = data[i + 1] || data[i] & 0x80 ? '?' : data[i];
        return n ? TAKE_PTR(name) : NULL;
}

static bool started_by(const struct bootloader *b, const char *name)
{
        return b->loader && startswith(b->loader, name);
}

/* --- one try each: true if it is that ---------------------------------------------- */

static bool set(struct bootloader *b, enum bootloader_kind kind, const char *config, char **command)
{
        b->kind = kind;
        free(b->config);
        b->config = xstrdup(config);
        b->command = command;
        return true;
}

static bool try_image(const struct root *r, struct bootloader *b)
{
        bool ostree = root_exists(r, "/run/ostree-booted") || root_exists(r, "/ostree/repo") ||
                      root_exists(r, "/sysroot/ostree/repo");

        if (!ostree || (!program_exists(r, "rpm-ostree") && !program_exists(r, "bootc")))
                return false;
        return set(b, BOOTLOADER_IMAGE, NULL, NULL);
}

static bool try_nixos(const struct root *r, struct bootloader *b)
{
        if (!root_exists(r, "/etc/NIXOS"))
                return false;
        return set(b, BOOTLOADER_NIXOS, "/etc/nixos/configuration.nix",
                   program_command("nixos-rebuild", "boot", NULL));
}

static bool try_kernelstub(const struct root *r, struct bootloader *b)
{
        if (!program_exists(r, "kernelstub") || started_by(b, "GRUB"))
                return false;
        return set(b, BOOTLOADER_KERNELSTUB, "/etc/kernelstub/configuration", NULL);
}

static bool try_limine(const struct root *r, struct bootloader *b)
{
        const char *program = program_exists(r, "limine-mkinitcpio") ? "limine-mkinitcpio" : "limine-update";

        if (!root_exists(r, "/etc/default/limine") || !program_exists(r, program))
                return false;
        if (started_by(b, "GRUB") || started_by(b, "systemd-boot"))
                return false;
        return set(b, BOOTLOADER_LIMINE, "/etc/default/limine", program_command(program, NULL));
}

static bool try_grubby(const struct root *r, struct bootloader *b)
{
        if (!program_exists(r, "grubby"))
                return false;
        return set(b, BOOTLOADER_GRUBBY, NULL, NULL);
}

/* --- systemd-boot ------------------------------------------------------------------ */

static char **kernel_install(const struct root *r)
{
        _cleanup_(strv_freep) char **presets = NULL;

        if (program_exists(r, "sdbootutil"))
                return program_command("sdbootutil", "update-all-entries", NULL);
        if (program_exists(r, "reinstall-kernels"))
                return program_command("reinstall-kernels", NULL);
        if (root_list(r, "/etc/mkinitcpio.d", &presets) == 0 && presets[0])
                return program_command("mkinitcpio", "-P", NULL);
        if (program_exists(r, "kernel-install"))
                return program_command("kernel-install", "add-all", NULL);
        return NULL;
}

/* sdbootutil writes the entries from that file for GRUB's BLS variant, too. */
static bool try_systemd_boot(const struct root *r, struct bootloader *b)
{
        if (!root_exists(r, KERNEL_CMDLINE))
                return false;
        if (!started_by(b, "systemd") && !program_exists(r, "sdbootutil") &&
            (started_by(b, "GRUB") || program_exists(r, "grub-mkconfig") || program_exists(r, "grub2-mkconfig")))
                return false;
        return set(b, BOOTLOADER_SYSTEMD_BOOT, KERNEL_CMDLINE, kernel_install(r));
}

/* --- GRUB -------------------------------------------------------------------------- */

static char **grub_command(const struct root *r, const char *mkconfig)
{
        if (program_exists(r, "update-grub"))
                return program_command("update-grub", NULL);
        return streq(mkconfig, "grub2-mkconfig")
                       ? program_command(mkconfig, "-o", "/boot/grub2/grub.cfg", NULL)
                       : program_command(mkconfig, "-o", "/boot/grub/grub.cfg", NULL);
}

/* Upstream's grub-mkconfig reads /etc/default/grub only; Debian's also a folder beside it. */
static bool try_grub(const struct root *r, struct bootloader *b)
{
        const char *mkconfig = program_exists(r, "grub2-mkconfig") ? "grub2-mkconfig" : "grub-mkconfig";
        _autofree_ char *path = program_find(r, mkconfig), *text = NULL;
        bool dropin;

        if (!path || !root_exists(r, "/etc/default/grub") || started_by(b, "systemd-boot"))
                return false;
        dropin = root_read(r, path, &text, NULL) == 0 && strstr(text, "default/grub.d");
        return set(b, dropin ? BOOTLOADER_GRUB_DROPIN : BOOTLOADER_GRUB,
                   dropin ? "/etc/default/grub.d" : "/etc/default/grub", grub_command(r, mkconfig));
}

/* The first that holds: those that own the parameters come before those that
 * others only use. */
int bootloader_detect(const struct root *r, struct bootloader *ret)
{
        struct bootloader b = { .kind = BOOTLOADER_UNKNOWN, .loader = read_loader(r) };

        (void) (try_image(r, &b) || try_nixos(r, &b) || try_kernelstub(r, &b) || try_limine(r, &b) ||
                try_grubby(r, &b) || try_systemd_boot(r, &b) || try_grub(r, &b));
        *ret = b;
        return 0;
}

static bool try_kind(const struct root *r, struct bootloader *b, enum bootloader_kind kind)
{
        switch (kind) {
        case BOOTLOADER_UNKNOWN:
                return false;
        case BOOTLOADER_GRUB_DROPIN:
                return try_grub(r, b) && set(b, kind, "/etc/default/grub.d", b->command);
        case BOOTLOADER_GRUB:
                return try_grub(r, b) && set(b, kind, "/etc/default/grub", b->command);
        case BOOTLOADER_GRUBBY:
                return try_grubby(r, b);
        case BOOTLOADER_KERNELSTUB:
                return try_kernelstub(r, b);
        case BOOTLOADER_SYSTEMD_BOOT:
                return set(b, kind, KERNEL_CMDLINE, kernel_install(r));
        case BOOTLOADER_LIMINE:
                return try_limine(r, b);
        case BOOTLOADER_IMAGE:
                return try_image(r, b);
        case BOOTLOADER_NIXOS:
                return try_nixos(r, b);
        }
        return false;
}

void bootloader_choose(const struct root *r, struct bootloader *b, enum bootloader_kind kind)
{
        char *loader = TAKE_PTR(b->loader); /* what was started does not count here */

        bootloader_clear(b);
        (void) try_kind(r, b, kind);
        b->kind = kind;
        b->loader = loader;
}

void bootloader_clear(struct bootloader *b)
{
        free(b->config);
        free(b->loader);
        (void) strv_free(b->command);
        *b = (struct bootloader) { .kind = BOOTLOADER_UNKNOWN };
}
