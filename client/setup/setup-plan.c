/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/ask.h"
#include "client/setup/domain-store.h"
#include "client/setup/session.h"
#include "client/text.h"

/* Whom nobody has told anything, and who can answer. */
static bool is_asking(const struct options *o)
{
        return !o->verb && !o->any && !o->choices.steps && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static enum exit_code ask_person(struct session *s)
{
        _cleanup_(domain_store_freep) struct domain_store *store = NULL;
        _cleanup_(strv_freep) char **domains = NULL;
        enum exit_code code = session_look(s);
        int e;

        if (code != EXIT_DONE)
                return code;
        if (domain_store_open(NULL, &store, NULL) == 0)
                (void) domain_store_list(store, &domains, NULL);
        e = ask_choices(s->machine, domains, stdin, stderr, &s->options->choices);
        if (e == 0)
                return EXIT_DONE;
        text_complain(e == -ECANCELED ? "No answer; nothing was done" : "That is no answer; nothing was done");
        return EXIT_FAILED;
}

enum exit_code setup_show_plan(struct session *s)
{
        const struct options *o = s->options;
        enum exit_code code = is_asking(o) ? ask_person(s) : EXIT_DONE;

        if (code == EXIT_DONE)
                code = session_plan(s);
        if (code != EXIT_DONE)
                return code;
        session_show_plan(s);
        if (is_asking(o) && !plan_is_empty(&s->plan))
                text_note("Nothing was written. The same with \"vfioctl setup apply\" and these options does it.");
        return o->exit_code && !plan_is_empty(&s->plan) ? EXIT_DIFFERS : EXIT_DONE;
}
