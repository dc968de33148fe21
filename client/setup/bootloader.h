/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the parameters of the kernel are written, found by what is installed
 * and not by the name of the distribution. */

#include "client/setup/root.h"

enum bootloader_kind {
        BOOTLOADER_UNKNOWN,
        BOOTLOADER_GRUB_DROPIN,  /* grub-mkconfig reads /etc/default/grub.d, too */
        BOOTLOADER_GRUB,         /* /etc/default/grub alone */
        BOOTLOADER_GRUBBY,       /* entries of the Boot Loader Specification, changed by grubby */
        BOOTLOADER_KERNELSTUB,
        BOOTLOADER_SYSTEMD_BOOT, /* /etc/kernel/cmdline, be it for entries or unified images */
        BOOTLOADER_LIMINE,
        BOOTLOADER_IMAGE,        /* rpm-ostree or bootc: the system is an image */
        BOOTLOADER_NIXOS,
};

struct bootloader {
        enum bootloader_kind kind;
        char *config;   /* the file or folder with the parameters; NULL: only a program knows them */
        char **command; /* makes what the firmware starts from it; NULL: none is needed or known */
        char *loader;   /* as the one that was started calls itself, "systemd-boot 252.39-1"; NULL: not told */
};

int bootloader_detect(const struct root *r, struct bootloader *ret);
/* Takes that one with its file and command, as far as it is installed, whatever was found. */
void bootloader_choose(const struct root *r, struct bootloader *b, enum bootloader_kind kind);
void bootloader_clear(struct bootloader *b);
const char *bootloader_name(enum bootloader_kind kind);
/* Whether parameters can be written at all, and not only explained. */
bool bootloader_is_writable(enum bootloader_kind kind);
/* Whether the whole system is made elsewhere, from an image or a description, so
 * that files written into it would be lost or not used. */
bool bootloader_is_image(enum bootloader_kind kind);
