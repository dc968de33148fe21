/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "client/grant-list.h"
#include "client/json.h"
#include "client/table.h"
#include "client/text.h"
#include "client/verbs.h"

static void print_json(const struct grant_list *l)
{
        _cleanup_(json_putp) json_object *o = json_object_new_object();
        json_object *array = json_object_new_array();

        for (unsigned i = 0; i < l->n_grants; i++) {
                const struct grant *g = &l->grants[i];
                json_object *grant = json_object_new_object();

                json_add_string(grant, "domain", g->domain);
                json_add_string(grant, "node", g->node);
                json_add_string(grant, "path", g->path);
                json_object_object_add(grant, "pid", json_object_new_int64(g->pid));
                json_add_layers(grant, "layers", g->layers);
                json_object_array_add(array, grant);
        }
        json_object_object_add(o, "grants", array);
        json_print(o, true);
}

static void grant_row(struct table *table, const struct grant *g)
{
        const struct layer *shut = layers_shut(g->layers);
        _autofree_ char *path = xasprintf("as %s", g->path), *pid = xasprintf("pid %" PRIu32, g->pid);
        _autofree_ char *why = shut ? xasprintf("%s: %s", shut->name, shut->text) : NULL;

        table_row(table);
        table_cell(table, TEXT_PLAIN, g->domain);
        table_cell(table, TEXT_PLAIN, g->node);
        table_cell(table, TEXT_PLAIN, path);
        table_cell(table, TEXT_PLAIN, pid);
        table_cell(table, TEXT_RED, why);
}

enum outcome verb_grants(struct client *c, char **args)
{
        _cleanup_(grant_list_freep) struct grant_list *l = NULL;
        _cleanup_(table_freep) struct table *table = table_new();
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        if (grant_list_read(c, &l, &error) < 0)
                return bus_fail(c, &guestd_service, &error);
        if (client_json(c)) {
                print_json(l);
                return OUTCOME_OK;
        }
        for (unsigned i = 0; i < l->n_grants; i++)
                grant_row(table, &l->grants[i]);
        table_print(table);
        if (l->n_grants == 0)
                text_note("There is no grant.");
        return OUTCOME_OK;
}
