/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/layer.h"

struct layer *layers_free(struct layer *list)
{
        for (struct layer *l = list; l && l->name; l++) {
                free(l->name);
                free(l->state);
                free(l->text);
        }
        free(list);
        return NULL;
}

int layers_read(sd_bus_message *m, struct layer **list)
{
        _cleanup_(layers_freep) struct layer *read = xnew0(struct layer, 1);
        const char *name, *state, *text;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(sss)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(sss)", &name, &state, &text)) > 0) {
                read = xreallocarray(read, n + 2, sizeof(*read));
                read[n + 1] = (struct layer) { 0 };
                read[n++] = (struct layer) { xstrdup(name), xstrdup(state), xstrdup(text) };
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        layers_free(*list);
        *list = TAKE_PTR(read);
        return 0;
}

const struct layer *layers_shut(const struct layer *list)
{
        for (; list && list->name; list++)
                if (streq(list->state, "shut"))
                        return list;
        return NULL;
}
