/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The door of file ownership without devices: writes down what is asked of it.
 *
 * $GUESTD_FAKE_DAC is a folder with one file a node that was given away, named
 * like the node, "GUEST UID" inside; $GUESTD_FAKE_LOG a file that gets a line
 * for each change. A file "refuse" in the folder makes every grant fail.
 * Without the folder nothing is kept and every grant succeeds. */

#include "daemon/guest/dac.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/names.h"

static char *fake_path(const char *node)
{
        const char *folder = getenv("GUESTD_FAKE_DAC"), *base = strrchr(node, '/');

        return folder ? xasprintf("%s/%s", folder, base ? base + 1 : node) : NULL;
}

static void fake_log(const char *what, const char *guest, const char *node)
{
        const char *path = getenv("GUESTD_FAKE_LOG");
        FILE *f = path ? fopen(path, "ae") : NULL;

        if (!f)
                return;
        (void) fprintf(f, "dac %s %s %s\n", what, guest, node);
        (void) fclose(f);
}

static bool fake_read(const char *node, char ret_guest[TARGET_NAME_MAX + 1], unsigned *ret_uid)
{
        _autofree_ char *path = fake_path(node);
        FILE *f = path ? fopen(path, "re") : NULL;
        bool found;

        if (!f)
                return false;
        found = fscanf(f, "%32s %u", ret_guest, ret_uid) == 2;
        (void) fclose(f);
        return found;
}

int dac_grant(const char *node, const char *guest, uid_t uid)
{
        _autofree_ char *refuse = fake_path("refuse"), *path = fake_path(node);
        FILE *f;

        if (!path)
                return 0;
        if (access(refuse, F_OK) >= 0)
                return -EPERM;
        f = fopen(path, "we");
        if (!f)
                return -errno;
        (void) fprintf(f, "%s %u\n", guest, uid);
        (void) fclose(f);
        fake_log("grant", guest, node);
        return 0;
}

bool dac_is_granted(const char *node, const char *guest, uid_t uid)
{
        char owner[TARGET_NAME_MAX + 1];
        unsigned owner_uid;

        return fake_read(node, owner, &owner_uid) && streq(owner, guest) && owner_uid == uid;
}

int dac_revoke_all(dac_keep_fn keep, void *userdata)
{
        const char *folder = getenv("GUESTD_FAKE_DAC");
        DIR *d = folder ? opendir(folder) : NULL;
        char guest[TARGET_NAME_MAX + 1];
        const struct dirent *entry;
        unsigned uid;

        while (d && (entry = readdir(d))) {
                if (!startswith(entry->d_name, "event") || !fake_read(entry->d_name, guest, &uid) ||
                    keep(guest, userdata))
                        continue;
                (void) unlinkat(dirfd(d), entry->d_name, 0);
                fake_log("revoke", guest, entry->d_name);
        }
        if (d)
                (void) closedir(d);
        return 0;
}

static bool is_another(const char *guest, void *userdata)
{
        return !streq(guest, userdata);
}

int dac_revoke(const char *guest)
{
        return dac_revoke_all(is_another, (void *) guest);
}
