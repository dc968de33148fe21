/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/show.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/match.h"
#include "client/table.h"

static void target_row(struct table *table, const struct target *t, bool active)
{
        _autofree_ char *hotkey = NULL, *own = NULL, *switches = NULL;

        table_row(table);
        table_cell(table, TEXT_GREEN, active ? "*" : " ");
        table_cell(table, active ? TEXT_BOLD : TEXT_PLAIN, t->name);
        table_cell(table, t->ready ? TEXT_GREEN : TEXT_YELLOW, t->ready ? "ready" : "not ready");
        if (t->switches)
                switches = xasprintf("%" PRIu64 " switch%s", t->switches, t->switches == 1 ? "" : "es");
        table_cell(table, TEXT_PLAIN, switches);
        if (t->toggle && t->toggle[0]) {
                hotkey = text_hotkey(t->toggle);
                own = xasprintf("hotkey %s", hotkey);
        }
        table_cell(table, TEXT_PLAIN, own);
        table_cell(table, TEXT_PLAIN, t->ready ? NULL : t->reason);
}

void show_targets(const struct state *state)
{
        _cleanup_(table_freep) struct table *table = table_new();

        for (unsigned i = 0; i < state->n_objects; i++)
                if (state->objects[i]->kind == OBJECT_TARGET)
                        target_row(table, &state->objects[i]->target,
                                   streq_null(state->objects[i]->target.name, state->manager->manager.active));
        table_print(table);
}

static enum text_colour device_colour(const char *state)
{
        if (streq(state, "failed"))
                return TEXT_RED;
        return streq(state, "grabbed") ? TEXT_GREEN : TEXT_YELLOW;
}

static void device_row(struct table *table, const struct device *d)
{
        _autofree_ char *ids = xasprintf("%04x:%04x", d->vendor, d->product), *text = NULL;
        const char *state = d->state ? d->state : "";

        if (streq(state, "waiting"))
                text = xasprintf("waiting for %" PRIu32 " key%s to be released", d->held_keys,
                                 d->held_keys == 1 ? "" : "s");
        else if (streq(state, "busy"))
                text = xstrdup("busy: another program grabs it");
        table_row(table);
        table_cell(table, TEXT_PLAIN, d->node);
        table_cell(table, TEXT_PLAIN, d->kind);
        table_cell(table, TEXT_PLAIN, ids);
        table_cell(table, TEXT_PLAIN, d->name);
        table_cell(table, device_colour(state), text ? text : state);
}

void show_devices(const struct state *state, bool grouped)
{
        _cleanup_(table_freep) struct table *table = table_new();
        _autofree_ char *last = NULL;

        for (unsigned i = 0; i < state->n_objects; i++) {
                const struct device *d = &state->objects[i]->device;
                char *group;

                if (state->objects[i]->kind != OBJECT_DEVICE)
                        continue;
                group = match_group(d);
                if (grouped && !streq_null(group, last))
                        table_heading(table, group);
                free(last);
                last = group;
                device_row(table, d);
        }
        table_print(table);
}

static enum text_colour guest_colour(const struct guest *g)
{
        if (streq_null(g->state, "failed") || streq_null(g->state, "hung"))
                return TEXT_RED;
        return streq_null(g->state, "ready") ? TEXT_GREEN : TEXT_YELLOW;
}

static void guest_row(struct table *table, const struct guest *g)
{
        const struct layer *shut = layers_shut(g->layers);
        _autofree_ char *pid = NULL, *domain = NULL, *why = shut ? xasprintf("%s: %s", shut->name, shut->text) : NULL;

        if (g->pid)
                pid = xasprintf("pid %" PRIu32, g->pid);
        if (g->domain && *g->domain)
                domain = xasprintf("domain %s", g->domain);
        table_row(table);
        table_cell(table, TEXT_PLAIN, g->name);
        table_cell(table, guest_colour(g), g->state);
        table_cell(table, TEXT_PLAIN, g->route);
        table_cell(table, TEXT_PLAIN, pid);
        table_cell(table, TEXT_PLAIN, domain);
        table_cell(table, TEXT_PLAIN, g->reason);
        table_cell(table, TEXT_RED, why);
}

void show_guests(const struct state *state)
{
        _cleanup_(table_freep) struct table *table = table_new();

        for (unsigned i = 0; i < state->n_objects; i++)
                if (state->objects[i]->kind == OBJECT_GUEST)
                        guest_row(table, &state->objects[i]->guest);
        table_print(table);
}

static void field_row(struct table *table, const char *label, enum text_colour colour, const char *value)
{
        if (!value || !*value)
                return;
        table_row(table);
        table_cell(table, TEXT_PLAIN, label);
        table_cell(table, colour, value);
}

static void show_layers(const struct layer *layers)
{
        _cleanup_(table_freep) struct table *table = table_new();

        for (const struct layer *l = layers; l->name; l++) {
                _autofree_ char *name = xasprintf("  %s", l->name);

                table_row(table);
                table_cell(table, TEXT_PLAIN, name);
                table_cell(table, streq(l->state, "shut") ? TEXT_RED : TEXT_PLAIN, l->state);
                table_cell(table, TEXT_PLAIN, l->text);
        }
        puts("  Layers:");
        table_print(table);
}

void show_guest(const struct guest *g)
{
        _cleanup_(table_freep) struct table *table = table_new();
        _autofree_ char *name = text_clean(g->name), *pid = g->pid ? xasprintf("%" PRIu32, g->pid) : NULL;

        field_row(table, "State:", guest_colour(g), g->state);
        field_row(table, "Reason:", TEXT_PLAIN, g->reason);
        field_row(table, "Domain:", TEXT_PLAIN, g->domain);
        field_row(table, "UUID:", TEXT_PLAIN, g->uuid);
        field_row(table, "Process:", TEXT_PLAIN, pid);
        field_row(table, "Route:", TEXT_PLAIN, g->route);
        field_row(table, "because:", TEXT_PLAIN, g->route_reason);
        printf("%s%s%s\n", text_begin(TEXT_BOLD), name, text_end(TEXT_BOLD));
        table_print(table);
        if (g->layers && g->layers->name)
                show_layers(g->layers);
}
