/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/vfio-ids.h"

#include "client/setup/words.h"

/* Of files with the same name in two of them, modprobe reads that of the first. */
static const char *const folders[] = { "/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
                                       "/usr/lib/modprobe.d", "/lib/modprobe.d" };

void vfio_ids_clear(struct vfio_ids *v)
{
        for (size_t i = 0; i < v->n_sources; i++) {
                free(v->sources[i].place);
                free(v->sources[i].ids);
        }
        free(v->sources);
        *v = (struct vfio_ids) { 0 };
}

static void add(struct vfio_ids *v, const char *place, const char *ids, enum vfio_ids_state state)
{
        v->sources = xreallocarray(v->sources, v->n_sources + 1, sizeof(*v->sources));
        v->sources[v->n_sources++] = (struct vfio_ids_source) {
                .place = xstrdup(place),
                .ids = xstrdup(ids),
                .state = state,
        };
}

/* --- reading ---------------------------------------------------------------------- */

static void read_cmdline(const char *cmdline, struct vfio_ids *v)
{
        _cleanup_(strv_freep) char **words = words_split(cmdline, " \t\n");

        for (char **word = words; *word; word++) {
                if (!startswith(*word, "vfio-pci.ids=") && !startswith(*word, "vfio_pci.ids="))
                        continue;
                add(v, "the kernel command line", *word + strlen("vfio-pci.ids="), VFIO_IDS_EFFECTIVE);
                v->sources[v->n_sources - 1].on_cmdline = true;
        }
}

/* "options vfio-pci ids=… disable_vga=1" */
static void read_options(const char *line, const char *path, enum vfio_ids_state state, struct vfio_ids *v)
{
        _cleanup_(strv_freep) char **words = words_split(line, " \t\r");

        if (words_count(words) < 3 || !streq(words[0], "options"))
                return;
        if (!streq(words[1], "vfio-pci") && !streq(words[1], "vfio_pci"))
                return;
        for (char **word = words + 2; *word; word++)
                if (startswith(*word, "ids="))
                        add(v, path, *word + strlen("ids="), state);
}

static void join_continued_lines(char *text)
{
        for (char *at = text; (at = strstr(at, "\\\n"));)
                at[0] = at[1] = ' ';
}

static void read_file(const struct machine *m, const char *path, enum vfio_ids_state state, struct vfio_ids *v)
{
        _cleanup_(strv_freep) char **lines = NULL;
        _autofree_ char *text = NULL;
        int e = root_read(m->root, path, &text, NULL);

        if (e < 0) {
                v->incomplete |= e == -EACCES || e == -EPERM;
                return;
        }
        join_continued_lines(text);
        lines = words_split(text, "\n");
        for (char **line = lines; *line; line++)
                read_options(*line, path, state, v);
}

static enum vfio_ids_state file_state(const struct machine *m, const char *name)
{
        const struct kernel *kernel = kernels_current(&m->kernels);
        size_t length = strlen(name);

        if (length < 6 || !streq(name + length - 5, ".conf"))
                return VFIO_IDS_IGNORED_NAME;
        return kernel && kernel->vfio_pci == KERNEL_MODULE_BUILT_IN ? VFIO_IDS_IGNORED_BUILT_IN
                                                                   : VFIO_IDS_EFFECTIVE;
}

static int read_folder(const struct machine *m, const char *folder, char ***seen, struct vfio_ids *v)
{
        _cleanup_(strv_freep) char **names = NULL;
        int e = root_list(m->root, folder, &names);

        if (e == -EACCES)
                v->incomplete = true;
        if (e < 0)
                return e == -ENOENT || e == -EACCES ? 0 : e;
        for (char **name = names; *name; name++) {
                _autofree_ char *path = xasprintf("%s/%s", folder, *name);

                if (words_have(*seen, *name))
                        continue;
                words_add(seen, *name);
                read_file(m, path, file_state(m, *name), v);
        }
        return 0;
}

int vfio_ids_load(const struct machine *m, struct vfio_ids *ret)
{
        _cleanup_(vfio_ids_clear) struct vfio_ids v = { 0 };
        _cleanup_(strv_freep) char **seen = NULL;

        if (m->kernels.cmdline)
                read_cmdline(m->kernels.cmdline, &v);
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                int e = read_folder(m, folders[i], &seen, &v);

                if (e < 0)
                        return e;
        }
        *ret = v;
        v = (struct vfio_ids) { 0 };
        return 0;
}

/* --- questions -------------------------------------------------------------------- */

static bool is_valid_id(const char *id)
{
        _cleanup_(strv_freep) char **fields = words_split(id, ":");
        size_t n = words_count(fields);

        if (n < 2 || n > 6 || *id == ':' || strstr(id, "::"))
                return false;
        for (char **field = fields; *field; field++) {
                size_t length = strspn(*field, "0123456789abcdefABCDEF");

                if ((*field)[length] || length > (field - fields < 4 ? 4 : 8))
                        return false;
        }
        return true;
}

bool vfio_ids_are_valid(const char *ids)
{
        _cleanup_(strv_freep) char **list = words_split(ids, ",");

        for (char **id = list; *id; id++)
                if (!is_valid_id(*id))
                        return false;
        return list[0];
}

bool vfio_ids_list_has(const char *ids, const struct pci_device *d)
{
        _cleanup_(strv_freep) char **list = words_split(ids, ",");

        for (char **id = list; *id; id++) {
                char *end;
                unsigned long vendor = strtoul(*id, &end, 16);

                if (*end == ':' && vendor == d->vendor && strtoul(end + 1, NULL, 16) == d->device)
                        return true;
        }
        return false;
}

bool vfio_ids_take(const struct vfio_ids *v, const struct pci_device *d)
{
        for (size_t i = 0; i < v->n_sources; i++)
                if (v->sources[i].state == VFIO_IDS_EFFECTIVE && vfio_ids_list_has(v->sources[i].ids, d))
                        return true;
        return false;
}

size_t vfio_ids_count(const struct vfio_ids *v, enum vfio_ids_state state)
{
        size_t n = 0;

        for (size_t i = 0; i < v->n_sources; i++)
                n += v->sources[i].state == state;
        return n;
}
