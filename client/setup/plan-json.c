/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/plan-json.h"

#include "client/setup/diff.h"

const char *plan_verdict_name(enum plan_verdict v)
{
        switch (v) {
        case PLAN_CHANGES:
                return "changes";
        case PLAN_DONE:
                return "done";
        case PLAN_NOT_NEEDED:
                return "not needed";
        case PLAN_OPTIONAL:
                return "optional";
        case PLAN_BY_HAND:
                return "by hand";
        }
        return "";
}

/* libvirt writes <graphics … passwd='…'>, with either quote. */
char *plan_hide_secrets(const char *xml)
{
        char *hidden = xstrdup(xml);

        for (char *at = hidden; at && (at = strstr(at, "passwd="));) {
                char quote = at[strlen("passwd=")];

                at += strlen("passwd=");
                if (quote != '\'' && quote != '"')
                        continue;
                for (at++; *at && *at != quote; at++)
                        *at = '*';
        }
        return hidden;
}

/* --- parts ------------------------------------------------------------------------------ */

static void add_text(json_object *o, const char *key, const char *text)
{
        json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static void add_words(json_object *o, const char *key, char *const *words)
{
        json_object *list = json_object_new_array();

        for (; words && *words; words++)
                json_object_array_add(list, json_object_new_string(*words));
        json_object_object_add(o, key, list);
}

static void add_bool(json_object *o, const char *key, bool value)
{
        json_object_object_add(o, key, json_object_new_boolean(value));
}

static json_object *file_to_json(const struct plan_file *f, enum plan_json how)
{
        json_object *o = json_object_new_object();

        add_text(o, "path", f->path);
        add_text(o, "step", f->step);
        add_text(o, "why", f->why);
        add_bool(o, "exists", f->before);
        add_bool(o, "removed", !f->after);
        json_object_object_add(o, "mode", json_object_new_int((int) f->mode));
        if (how == PLAN_JSON_SHOW) {
                _autofree_ char *diff = diff_unified(f->path, f->before, f->after);

                add_text(o, "diff", diff);
        }
        return o;
}

static json_object *command_to_json(const struct plan_command *c)
{
        json_object *o = json_object_new_object();

        add_text(o, "step", c->step);
        add_text(o, "why", c->why);
        add_words(o, "argv", c->argv);
        add_words(o, "undo", c->undo);
        add_words(o, "changed", c->changed);
        add_bool(o, "no_undo", c->no_undo);
        add_bool(o, "rebuild", c->is_rebuild);
        return o;
}

static json_object *domain_to_json(const struct plan_domain *d, enum plan_json how)
{
        json_object *o = json_object_new_object();

        add_text(o, "name", d->name);
        add_text(o, "step", d->step);
        add_text(o, "why", d->why);
        add_bool(o, "exists", d->before);
        add_bool(o, "removed", !d->after);
        if (how == PLAN_JSON_SHOW) {
                _autofree_ char *before = plan_hide_secrets(d->before), *after = plan_hide_secrets(d->after);
                _autofree_ char *diff = diff_unified(d->name, before, after);

                add_text(o, "diff", diff);
        }
        return o;
}

static json_object *note_to_json(const struct plan_note *n)
{
        json_object *o = json_object_new_object();

        add_text(o, "step", n->step);
        add_text(o, "verdict", plan_verdict_name(n->verdict));
        add_text(o, "text", n->text);
        add_words(o, "lines", n->lines);
        return o;
}

static json_object *gate_to_json(const struct plan_gate *g)
{
        json_object *o = json_object_new_object();

        add_text(o, "id", g->id);
        add_text(o, "text", g->text);
        add_bool(o, "accepted", g->accepted);
        return o;
}

json_object *plan_to_json(const struct plan *p, enum plan_json how)
{
        json_object *o = json_object_new_object(), *files = json_object_new_array();
        json_object *commands = json_object_new_array(), *domains = json_object_new_array();
        json_object *notes = json_object_new_array(), *gates = json_object_new_array();

        for (size_t i = 0; i < p->n_files; i++)
                json_object_array_add(files, file_to_json(&p->files[i], how));
        for (size_t i = 0; i < p->n_commands; i++)
                json_object_array_add(commands, command_to_json(&p->commands[i]));
        for (size_t i = 0; i < p->n_domains; i++)
                json_object_array_add(domains, domain_to_json(&p->domains[i], how));
        for (size_t i = 0; i < p->n_notes; i++)
                json_object_array_add(notes, note_to_json(&p->notes[i]));
        for (size_t i = 0; i < p->n_gates; i++)
                json_object_array_add(gates, gate_to_json(&p->gates[i]));
        json_object_object_add(o, "schema", json_object_new_int(1));
        json_object_object_add(o, "files", files);
        json_object_object_add(o, "commands", commands);
        json_object_object_add(o, "domains", domains);
        json_object_object_add(o, "notes", notes);
        json_object_object_add(o, "gates", gates);
        add_bool(o, "reboot_required", p->reboot);
        add_words(o, "reboot", p->reboot);
        add_words(o, "expect", p->expect);
        add_words(o, "bound", p->bound);
        return o;
}
