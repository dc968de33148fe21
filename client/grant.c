/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <strings.h>

#include "client/change.h"
#include "client/node.h"
#include "client/text.h"
#include "client/verbs.h"

/* Prints the domains of the guests that vfio-guestd knows. */
static enum outcome list_domains(struct client *c)
{
        _cleanup_(state_freep) struct state *state = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _autofree_ const char **names = NULL;
        unsigned n = 0;

        if (state_read(c, &guestd_service, &state, &error) < 0)
                return bus_fail(c, &guestd_service, &error);
        names = xnew0(const char *, state->n_objects + 1);
        for (unsigned i = 0; i < state->n_objects; i++) {
                const struct object *o = state->objects[i];

                if (o->kind == OBJECT_GUEST && o->guest.domain && *o->guest.domain)
                        names[n++] = o->guest.domain;
        }
        change_print_names(c, names);
        return OUTCOME_OK;
}

static int call(struct client *c, const char *domain, const char *node, bool in_use, sd_bus_error *error,
                char **ret_path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        int r;

        r = bus_change(c, &guestd_service, "Grant", error, &reply, "ssb", domain, node, (int) in_use);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &path);
        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_SIGNATURE, "its answer cannot be read");
        *ret_path = xstrdup(path);
        return 0;
}

static bool says_yes(void)
{
        _autofree_ char *line = NULL;
        size_t size = 0;
        ssize_t n = getline(&line, &size, stdin);

        if (n <= 0) {
                fputc('\n', stderr);
                return false;
        }
        line[strcspn(line, "\r\n")] = '\0';
        return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}

/* The host uses the node, as the error says. OUTCOME_OK if the user wants it to be granted all the same. */
static enum outcome confirm(const struct client *c, const char *domain, const sd_bus_error *error)
{
        const char *words = error->message ? error->message : error->name;
        const char *dot = *words && words[strlen(words) - 1] == '.' ? "" : ".";
        _autofree_ char *sentence = NULL, *clean = NULL;

        if (client_json(c) || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
                sentence = xasprintf("%s%s To give it to %s all the same: --in-use", words, dot, domain);
                return bus_report(c, OUTCOME_REFUSED, error->name, sentence);
        }
        sentence = xasprintf("%s%s Give it to %s all the same? [y/N] ", words, dot, domain);
        clean = text_clean(sentence);
        fputs(clean, stderr);
        if (says_yes())
                return OUTCOME_OK;
        text_note("Nothing was granted.");
        return OUTCOME_REFUSED;
}

enum outcome verb_grant(struct client *c, char **args)
{
        _autofree_ char *node = NULL, *path = NULL, *clean = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        bool in_use = c->options & OPTION_IN_USE;
        enum outcome outcome;
        int r;

        if (c->options & OPTION_LIST)
                return list_domains(c);
        node = node_absolute(args[1]);
        r = call(c, args[0], node, in_use, &error, &path);
        if (r < 0 && !in_use && sd_bus_error_has_name(&error, VFIO_ERROR_IN_USE)) {
                outcome = confirm(c, args[0], &error);
                if (outcome != OUTCOME_OK)
                        return outcome;
                sd_bus_error_free(&error);
                r = call(c, args[0], node, true, &error, &path);
        }
        if (r < 0)
                return bus_fail(c, &guestd_service, &error);
        clean = text_clean(path);
        if (client_json(c))
                change_done(c, "path", path, NULL);
        else
                puts(clean);
        return OUTCOME_OK;
}
