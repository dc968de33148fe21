/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The door of AppArmor: whether the profile that confines a QEMU lets it read and
 * write a path. The rule itself is apparmor/libvirt-qemu, which the abstraction
 * that all of libvirt's profiles include brings in; so nothing is written at run
 * time. A profile that was loaded before that was installed is loaded again. */

#include "daemon/guest/layers.h"
#include "daemon/guest/process.h"

#define APPARMOR_PROFILE_MAX 63

enum apparmor_mode {
        APPARMOR_NONE, /* not confined */
        APPARMOR_ENFORCE,
        APPARMOR_COMPLAIN, /* breaches are logged and allowed */
};

struct apparmor_profile {
        enum apparmor_mode mode;
        char name[APPARMOR_PROFILE_MAX + 1]; /* fit to be the name of a file; "" for APPARMOR_NONE */
};

/* Whether a profile's name may be that of a file, and stands for nothing but itself in a path. */
static inline bool apparmor_name_is_valid(const char *name)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
        const size_t length = strlen(name);

        return length > 0 && *name != '.' && length <= APPARMOR_PROFILE_MAX && strspn(name, letters) == length;
}

/* The profile that confines the process. -EOPNOTSUPP: its name is fit for no file. */
int apparmor_find_profile(const struct process *process, struct apparmor_profile *ret);
/* 0: the path may be read and written; -EACCES: it may not. Sets the layer. */
int apparmor_check(const struct apparmor_profile *profile, const char *path, struct layers *layers);
/* The same, and loads the profile once more if it does not allow the path. May
 * take seconds. */
int apparmor_open(const struct apparmor_profile *profile, const char *path, struct layers *layers);
