/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/setup/session.h"

static const char *state_name(enum record_state state)
{
        switch (state) {
        case RECORD_UNFINISHED:
                return "unfinished";
        case RECORD_APPLIED:
                return "applied";
        case RECORD_UNDONE:
                return "undone";
        }
        return "";
}

static json_object *record_to_json(const struct record *r)
{
        json_object *o = json_object_new_object();

        json_object_object_add(o, "id", json_object_new_string(r->id));
        json_object_object_add(o, "state", json_object_new_string(state_name(r->state)));
        json_object_object_add(o, "plan", json_object_get(r->plan));
        return o;
}

static void print(const struct record *r)
{
        printf("%s  %s\n", r->id, state_name(r->state));
        for (size_t i = 0; i < record_count(r, "files"); i++)
                printf("    %s\n", record_text(record_item(r, "files", i), "path"));
}

enum exit_code setup_list(struct session *s)
{
        _cleanup_(store_freep) struct store *store = NULL;
        _cleanup_(strv_freep) char **ids = NULL;
        json_object *list = json_object_new_array(), *o = json_object_new_object();
        enum exit_code code = session_store(s, false, &store);

        if (store && store_list(store, &ids) < 0)
                code = EXIT_FAILED;
        for (char **id = ids; id && *id; id++) {
                _cleanup_(record_clear) struct record r = { 0 };

                if (store_load(store, *id, &r) < 0)
                        continue;
                json_object_array_add(list, record_to_json(&r));
                if (!s->options->json)
                        print(&r);
        }
        json_object_object_add(o, "schema", json_object_new_int(1));
        json_object_object_add(o, "transactions", list);
        if (s->options->json && code == EXIT_DONE)
                session_print_json(o);
        else
                (void) json_object_put(o);
        return code;
}
