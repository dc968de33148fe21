/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/change.h"
#include "client/grant-list.h"
#include "client/node.h"
#include "client/verbs.h"

/* Prints the domains that have a grant. They are sorted. */
static enum outcome list_domains(struct client *c)
{
        _cleanup_(grant_list_freep) struct grant_list *l = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _autofree_ const char **names = NULL;
        unsigned n = 0;

        if (grant_list_read(c, &l, &error) < 0)
                return bus_fail(c, &guestd_service, &error);
        names = xnew0(const char *, l->n_grants + 1);
        for (unsigned i = 0; i < l->n_grants; i++)
                if (i == 0 || !streq(l->grants[i].domain, l->grants[i - 1].domain))
                        names[n++] = l->grants[i].domain;
        change_print_names(c, names);
        return OUTCOME_OK;
}

enum outcome verb_revoke(struct client *c, char **args)
{
        _autofree_ char *node = NULL, *note = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (c->options & OPTION_LIST)
                return list_domains(c);
        node = node_absolute(args[1]);
        if (bus_change(c, &guestd_service, "Revoke", &error, NULL, "ss", args[0], node) < 0)
                return bus_fail(c, &guestd_service, &error);
        note = xasprintf("%s can no longer open %s.", args[0], node);
        change_done(c, NULL, NULL, note);
        return OUTCOME_OK;
}
