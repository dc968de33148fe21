/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/pci-modules.h"

#include <fnmatch.h>

#include "client/setup/words.h"

/* "pci:v000010DE": the file has tens of thousands of patterns, nearly all of them another vendor's. */
#define VENDOR_LENGTH 13

static bool matches(const char *pattern, const char *modalias)
{
        if (pattern[5] != '*' && strncmp(pattern, modalias, VENDOR_LENGTH) != 0)
                return false;
        return fnmatch(pattern, modalias, 0) == 0;
}

/* One line, "alias pci:PATTERN MODULE"; patterns have no blanks. */
static void match_line(struct pci *p, char *const *modaliases, const char *pattern, const char *module)
{
        for (size_t i = 0; i < p->n_devices; i++) {
                struct pci_device *d = &p->devices[i];

                if (matches(pattern, modaliases[i]) && !words_have(d->modules, module))
                        words_add(&d->modules, module);
        }
}

static char **read_modaliases(const struct root *r, const struct pci *p)
{
        char **modaliases = NULL;

        for (size_t i = 0; i < p->n_devices; i++) {
                _autofree_ char *path =
                        xasprintf("/sys/bus/pci/devices/%s/modalias", p->devices[i].address);
                char *line = NULL;

                if (root_read_line(r, path, &line) < 0)
                        line = xstrdup("");
                words_take(&modaliases, line);
        }
        return modaliases;
}

void pci_modules_load(const struct root *r, const char *release, struct pci *p)
{
        _autofree_ char *path = xasprintf("/lib/modules/%s/modules.alias", release), *text = NULL;
        _cleanup_(strv_freep) char **modaliases = read_modaliases(r, p);
        char *rest = NULL;

        if (root_read(r, path, &text, NULL) < 0)
                return;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                char *pattern = line + strlen("alias "), *blank;

                if (!startswith(line, "alias pci:"))
                        continue;
                blank = strchr(pattern, ' ');
                if (!blank)
                        continue;
                *blank = '\0';
                match_line(p, modaliases, pattern, blank + 1);
        }
}
