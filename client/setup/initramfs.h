/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What makes the initramfs, found by what is installed and not by the name of
 * the distribution. */

#include "client/setup/root.h"

enum initramfs_kind {
        INITRAMFS_UNKNOWN, /* none found, or several that could be it */
        INITRAMFS_TOOLS,
        INITRAMFS_DRACUT,
        INITRAMFS_MKINITCPIO,
        INITRAMFS_BOOSTER,
};

struct initramfs {
        enum initramfs_kind kind;
        char **command; /* rebuilds the images of all kernels; NULL if unknown */
        char **found;   /* names of all that could be it */
};

int initramfs_detect(const struct root *r, struct initramfs *ret);
/* Takes that one, whatever was found. */
void initramfs_choose(const struct root *r, struct initramfs *i, enum initramfs_kind kind);
void initramfs_clear(struct initramfs *i);
const char *initramfs_name(enum initramfs_kind kind);
