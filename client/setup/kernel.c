/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/kernel.h"

void kernels_clear(struct kernels *k)
{
        for (size_t i = 0; i < k->n_items; i++)
                free(k->items[i].release);
        free(k->items);
        free(k->running);
        free(k->cmdline);
        *k = (struct kernels) { 0 };
}

/* --- modules ---------------------------------------------------------------------- */

/* Files of a kernel's folder list modules by their path, "kernel/…/vfio-pci.ko.xz:". */
static bool lists_module(const char *text, const char *module)
{
        _autofree_ char *name = xasprintf("/%s.ko", module);

        for (const char *at = text; (at = strstr(at, name)); at++) {
                const char *start = at;

                while (start > text && start[-1] != '\n')
                        start--;
                /* In modules.dep, what is behind the colon is what others need. */
                if (!memchr(start, ':', (size_t) (at - start)))
                        return true;
        }
        return false;
}

static char *read_list(const struct root *r, const char *folder, const char *release, const char *name)
{
        _autofree_ char *path = xasprintf("%s/%s/%s", folder, release, name);
        char *text = NULL;

        return root_read(r, path, &text, NULL) < 0 ? NULL : text;
}

static enum kernel_module find_module(const char *builtin, const char *dep, const char *module)
{
        if (builtin && lists_module(builtin, module))
                return KERNEL_MODULE_BUILT_IN;
        return dep && lists_module(dep, module) ? KERNEL_MODULE_LOADABLE : KERNEL_MODULE_NONE;
}

/* --- the kernels ------------------------------------------------------------------ */

static bool have(const struct kernels *k, const char *release)
{
        for (size_t i = 0; i < k->n_items; i++)
                if (streq(k->items[i].release, release))
                        return true;
        return false;
}

/* A folder with neither list is what a removed kernel left behind. */
static void add(const struct root *r, struct kernels *k, const char *folder, const char *release)
{
        _autofree_ char *builtin = read_list(r, folder, release, "modules.builtin");
        _autofree_ char *dep = read_list(r, folder, release, "modules.dep");

        if (have(k, release) || (!builtin && !dep))
                return;
        k->items = xreallocarray(k->items, k->n_items + 1, sizeof(*k->items));
        k->items[k->n_items++] = (struct kernel) {
                .release = xstrdup(release),
                .vfio_pci = find_module(builtin, dep, "vfio-pci"),
                .virqfd = find_module(builtin, dep, "vfio_virqfd"),
        };
}

static int add_folder(const struct root *r, struct kernels *k, const char *folder)
{
        _cleanup_(strv_freep) char **names = NULL;
        int e = root_list(r, folder, &names);

        if (e < 0)
                return e == -ENOENT ? 0 : e;
        for (char **name = names; *name; name++)
                add(r, k, folder, *name);
        return 0;
}

static int compare(const void *a, const void *b)
{
        const struct kernel *x = a, *y = b;

        return strverscmp(x->release, y->release);
}

int kernels_load(const struct root *r, struct kernels *ret)
{
        _cleanup_(kernels_clear) struct kernels k = { 0 };
        int e = add_folder(r, &k, "/usr/lib/modules");

        if (e < 0)
                return e;
        e = add_folder(r, &k, "/lib/modules");
        if (e < 0)
                return e;
        if (k.n_items)
                qsort(k.items, k.n_items, sizeof(*k.items), compare);
        (void) root_read_line(r, "/proc/sys/kernel/osrelease", &k.running);
        (void) root_read_line(r, "/proc/cmdline", &k.cmdline);
        *ret = k;
        k = (struct kernels) { 0 };
        return 0;
}

const struct kernel *kernels_current(const struct kernels *k)
{
        for (size_t i = 0; k->running && i < k->n_items; i++)
                if (streq(k->items[i].release, k->running))
                        return &k->items[i];
        return k->n_items ? &k->items[k->n_items - 1] : NULL;
}

const char *kernel_module_name(enum kernel_module m)
{
        switch (m) {
        case KERNEL_MODULE_NONE:
                return "missing";
        case KERNEL_MODULE_LOADABLE:
                return "module";
        case KERNEL_MODULE_BUILT_IN:
                return "built in";
        }
        return "";
}
