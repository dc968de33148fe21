/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/grant-list.h"

#define GRANT_CONTENTS "sssu" LAYERS_SIGNATURE

struct grant_list *grant_list_free(struct grant_list *l)
{
        if (!l)
                return NULL;
        for (unsigned i = 0; i < l->n_grants; i++) {
                free(l->grants[i].domain);
                free(l->grants[i].node);
                free(l->grants[i].path);
                layers_free(l->grants[i].layers);
        }
        free(l->grants);
        free(l);
        return NULL;
}

static int take_grant(struct grant_list *l, sd_bus_message *m)
{
        const char *domain, *node, *path;
        struct grant *g;
        uint32_t pid;
        int r;

        r = sd_bus_message_read(m, "sssu", &domain, &node, &path, &pid);
        if (r < 0)
                return r;
        l->grants = xreallocarray(l->grants, l->n_grants + 1, sizeof(*l->grants));
        g = &l->grants[l->n_grants++];
        *g = (struct grant) { xstrdup(domain), xstrdup(node), xstrdup(path), pid, NULL };
        return layers_read(m, &g->layers);
}

static int take_grants(struct grant_list *l, sd_bus_message *m)
{
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(" GRANT_CONTENTS ")");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'r', GRANT_CONTENTS)) > 0) {
                r = take_grant(l, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int compare(const void *a, const void *b)
{
        const struct grant *x = a, *y = b;
        int r = strverscmp(x->domain, y->domain);

        return r ? r : strverscmp(x->node, y->node);
}

int grant_list_read(struct client *c, struct grant_list **ret, sd_bus_error *error)
{
        _cleanup_(grant_list_freep) struct grant_list *l = xnew0(struct grant_list, 1);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r;

        r = bus_new_read(c, &guestd_service, guestd_service.manager, "ListGrants", &m);
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        r = bus_read(c, m, error, &reply);
        if (r < 0)
                return r;
        if (take_grants(l, reply) < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_SIGNATURE, "its answer cannot be read");
        if (l->n_grants)
                qsort(l->grants, l->n_grants, sizeof(*l->grants), compare);
        *ret = TAKE_PTR(l);
        return 0;
}
