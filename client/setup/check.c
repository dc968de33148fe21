/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/check.h"

#include <stdarg.h>

#include "client/setup/words.h"
#include "client/text.h"
#include "common/text.h"

static const enum check_status statuses[] = { CHECK_OK, CHECK_WARN, CHECK_FAIL, CHECK_SKIP, CHECK_UNKNOWN };

const char *check_status_name(enum check_status status)
{
        switch (status) {
        case CHECK_OK:
                return "ok";
        case CHECK_SKIP:
                return "skip";
        case CHECK_UNKNOWN:
                return "unknown";
        case CHECK_WARN:
                return "warn";
        case CHECK_FAIL:
                return "fail";
        }
        return "";
}

/* --- making them ------------------------------------------------------------------ */

static void check_clear(struct check *c)
{
        free(c->message);
        free(c->evidence);
        (void) strv_free(c->fix);
}

void checks_clear(struct checks *c)
{
        for (size_t i = 0; i < c->n_items; i++)
                check_clear(&c->items[i]);
        free(c->items);
        *c = (struct checks) { 0 };
}

struct check *checks_add(struct checks *c, const char *id)
{
        c->items = xreallocarray(c->items, c->n_items + 1, sizeof(*c->items));
        c->items[c->n_items] = (struct check) {
                .id = id,
                .status = CHECK_UNKNOWN,
                .message = xstrdup("not looked at"),
        };
        return &c->items[c->n_items++];
}

/* Owned by the caller. */
static char *format_text(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static char *format_text(const char *format, va_list args)
{
        _autofree_ char *text = xvasprintf(format, args);

        return text_printable(text);
}

void check_set(struct check *c, enum check_status status, const char *format, ...)
{
        va_list args;

        free(c->message);
        va_start(args, format);
        c->message = format_text(format, args);
        va_end(args);
        c->status = status;
}

void check_evidence(struct check *c, const char *format, ...)
{
        va_list args;

        free(c->evidence);
        va_start(args, format);
        c->evidence = format_text(format, args);
        va_end(args);
}

void check_fix(struct check *c, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        words_take(&c->fix, format_text(format, args));
        va_end(args);
}

/* --- questions -------------------------------------------------------------------- */

const struct check *checks_find(const struct checks *c, const char *id)
{
        for (size_t i = 0; i < c->n_items; i++)
                if (streq(c->items[i].id, id))
                        return &c->items[i];
        return NULL;
}

size_t checks_count(const struct checks *c, enum check_status status)
{
        size_t n = 0;

        for (size_t i = 0; i < c->n_items; i++)
                n += c->items[i].status == status;
        return n;
}

enum check_status checks_worst(const struct checks *c)
{
        enum check_status worst = CHECK_OK;

        for (size_t i = 0; i < c->n_items; i++)
                worst = MAX(worst, c->items[i].status);
        return worst;
}

int checks_exit_code(const struct checks *c, bool strict)
{
        return checks_worst(c) >= (strict ? CHECK_UNKNOWN : CHECK_FAIL);
}

/* --- text ------------------------------------------------------------------------- */

static int id_width(const struct checks *c)
{
        size_t width = 0;

        for (size_t i = 0; i < c->n_items; i++)
                width = MAX(width, strlen(c->items[i].id));
        return (int) width;
}

/* Failures are what the eye has to find in a long list. */
static const char *status_label(enum check_status status)
{
        return status == CHECK_FAIL ? "FAIL" : check_status_name(status);
}

static enum text_colour status_colour(enum check_status status)
{
        switch (status) {
        case CHECK_OK:
                return TEXT_GREEN;
        case CHECK_WARN:
        case CHECK_UNKNOWN:
                return TEXT_YELLOW;
        case CHECK_FAIL:
                return TEXT_RED;
        case CHECK_SKIP:
                break;
        }
        return TEXT_PLAIN;
}

static void print_check(const struct check *c, int width, FILE *out)
{
        enum text_colour colour = out == stdout ? status_colour(c->status) : TEXT_PLAIN;

        (void) fprintf(out, " %s%-7s%s %-*s  %s\n", text_begin(colour), status_label(c->status), text_end(colour),
                       width, c->id, c->message);
        if (c->evidence)
                (void) fprintf(out, "           why: %s\n", c->evidence);
        for (char **fix = c->fix; fix && *fix; fix++)
                (void) fprintf(out, "           fix: %s\n", *fix);
}

void checks_print(const struct checks *c, FILE *out)
{
        const char *comma = "";

        for (size_t i = 0; i < c->n_items; i++)
                print_check(&c->items[i], id_width(c), out);
        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                size_t n = checks_count(c, statuses[i]);

                if (n == 0)
                        continue;
                (void) fprintf(out, "%s%zu %s", comma, n, check_status_name(statuses[i]));
                comma = ", ";
        }
        (void) fputs(*comma ? "\n" : "", out);
}

/* --- JSON ------------------------------------------------------------------------- */

static void add_text(json_object *o, const char *key, const char *text)
{
        json_object_object_add(o, key, json_object_new_string(text ? text : ""));
}

static json_object *check_to_json(const struct check *c)
{
        json_object *o = json_object_new_object(), *fixes = json_object_new_array();

        add_text(o, "id", c->id);
        add_text(o, "status", check_status_name(c->status));
        add_text(o, "message", c->message);
        add_text(o, "evidence", c->evidence);
        for (char **fix = c->fix; fix && *fix; fix++)
                json_object_array_add(fixes, json_object_new_string(*fix));
        json_object_object_add(o, "fix", fixes);
        return o;
}

json_object *checks_to_json(const struct checks *c)
{
        json_object *o = json_object_new_object(), *list = json_object_new_array();
        json_object *summary = json_object_new_object();

        for (size_t i = 0; i < c->n_items; i++)
                json_object_array_add(list, check_to_json(&c->items[i]));
        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
                json_object_object_add(summary, check_status_name(statuses[i]),
                                       json_object_new_int64((int64_t) checks_count(c, statuses[i])));
        json_object_object_add(o, "schema", json_object_new_int(1));
        json_object_object_add(o, "checks", list);
        json_object_object_add(o, "summary", summary);
        return o;
}
