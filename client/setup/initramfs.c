/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/initramfs.h"

#include "client/setup/program.h"
#include "client/setup/words.h"

const char *initramfs_name(enum initramfs_kind kind)
{
        switch (kind) {
        case INITRAMFS_UNKNOWN:
                return "unknown";
        case INITRAMFS_TOOLS:
                return "initramfs-tools";
        case INITRAMFS_DRACUT:
                return "dracut";
        case INITRAMFS_MKINITCPIO:
                return "mkinitcpio";
        case INITRAMFS_BOOSTER:
                return "booster";
        }
        return "";
}

/* Debian's dracut has an update-initramfs of its own, and initramfs-tools lives
 * beside parts of dracut: what that script calls decides. */
static enum initramfs_kind behind_update_initramfs(const struct root *r)
{
        _autofree_ char *path = program_find(r, "update-initramfs"), *text = NULL;

        if (!path)
                return INITRAMFS_UNKNOWN;
        if (root_read(r, path, &text, NULL) == 0 && strstr(text, "dracut") && !strstr(text, "mkinitramfs"))
                return INITRAMFS_DRACUT;
        return program_exists(r, "mkinitramfs") ? INITRAMFS_TOOLS : INITRAMFS_UNKNOWN;
}

/* A preset per kernel is what mkinitcpio builds from; without, it is only installed. */
static bool has_mkinitcpio(const struct root *r)
{
        _cleanup_(strv_freep) char **names = NULL;

        if (!program_exists(r, "mkinitcpio"))
                return false;
        if (program_exists(r, "limine-mkinitcpio"))
                return true;
        return root_list(r, "/etc/mkinitcpio.d", &names) == 0 && names[0];
}

/* EndeavourOS has wrappers that know how it names its images. */
static char **dracut_command(const struct root *r)
{
        if (program_exists(r, "dracut-rebuild"))
                return program_command("dracut-rebuild", NULL);
        if (program_exists(r, "reinstall-kernels"))
                return program_command("reinstall-kernels", NULL);
        return program_command("dracut", "--regenerate-all", "--force", NULL);
}

static char **command(const struct root *r, enum initramfs_kind kind)
{
        switch (kind) {
        case INITRAMFS_UNKNOWN:
                return NULL;
        case INITRAMFS_TOOLS:
                return program_command("update-initramfs", "-u", "-k", "all", NULL);
        case INITRAMFS_DRACUT:
                return dracut_command(r);
        case INITRAMFS_MKINITCPIO:
                return program_exists(r, "limine-mkinitcpio") ? program_command("limine-mkinitcpio", NULL)
                                                              : program_command("mkinitcpio", "-P", NULL);
        case INITRAMFS_BOOSTER:
                return program_command("/usr/lib/booster/regenerate_images", NULL);
        }
        return NULL;
}

static void candidate(struct initramfs *i, enum initramfs_kind kind, bool is)
{
        if (!is)
                return;
        i->kind = i->found ? INITRAMFS_UNKNOWN : kind;
        words_add(&i->found, initramfs_name(kind));
}

int initramfs_detect(const struct root *r, struct initramfs *ret)
{
        enum initramfs_kind debian = behind_update_initramfs(r);
        struct initramfs i = { INITRAMFS_UNKNOWN, NULL, NULL };

        candidate(&i, debian, debian != INITRAMFS_UNKNOWN);
        candidate(&i, INITRAMFS_DRACUT, debian == INITRAMFS_UNKNOWN && program_exists(r, "dracut"));
        candidate(&i, INITRAMFS_MKINITCPIO, has_mkinitcpio(r));
        candidate(&i, INITRAMFS_BOOSTER,
                  program_exists(r, "booster") && root_exists(r, "/usr/lib/booster/regenerate_images"));
        i.command = command(r, i.kind);
        *ret = i;
        return 0;
}

void initramfs_choose(const struct root *r, struct initramfs *i, enum initramfs_kind kind)
{
        (void) strv_free(i->command);
        i->kind = kind;
        i->command = command(r, kind);
}

void initramfs_clear(struct initramfs *i)
{
        (void) strv_free(i->command);
        (void) strv_free(i->found);
        *i = (struct initramfs) { INITRAMFS_UNKNOWN, NULL, NULL };
}
