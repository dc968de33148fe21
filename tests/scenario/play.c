/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/scenario/play.h"

#include <stdio.h>

#include "common/mem.h"
#include "tests/scenario/notation.h"

struct command {
        const char *name;
        unsigned min, max; /* words after the name */
        int (*run)(struct play *p, char **words, unsigned n); /* negative: the words make no sense */
};

/* --- outputs ----------------------------------------------------------------- */

void outputs_clear(struct outputs *o)
{
        for (unsigned i = 0; i < o->n; i++)
                free(o->items[i]);
        o->n = 0;
}

void outputs_add(struct outputs *o, char *s)
{
        if (o->n == PLAY_OUTPUTS_MAX)
                free(s);
        else
                o->items[o->n++] = s;
}

static void got_frame(struct witness *w, const struct witness_target *t, const struct witness_source *s,
                      const struct input_event *events, unsigned n)
{
        struct play *p = w->userdata;
        char text[PLAY_TEXT_MAX];

        notation_format_frame(events, n, text, sizeof(text));
        outputs_add(&p->got, t->target.merged ? xasprintf("%s %s", t->target.name, text)
                                              : xasprintf("%s/%s %s", t->target.name, s->name, text));
}

static char *format_notice(const struct notice *n)
{
        switch (n->kind) {
        case NOTICE_SWITCHED:
                return xasprintf("switched %s>%s %s", n->from, n->to, n->reason);
        case NOTICE_REFUSED:
                return xasprintf("refused %s %s", n->to[0] ? n->to : "-", n->reason);
        case NOTICE_PANIC:
                return xstrdup("panic");
        case NOTICE_IDENTIFIED:
                return xasprintf("identified %s",
                                 n->source ? ((const struct witness_source *) n->source)->name : "nothing");
        }
        return xstrdup("a notice of no kind");
}

static void got_notices(struct play *p)
{
        for (unsigned i = 0; i < p->witness.router.n_notices; i++)
                outputs_add(&p->got, format_notice(&p->witness.router.notices[i]));
        p->witness.router.n_notices = 0;
}

static void got_result(struct play *p)
{
        static const struct {
                int error;
                const char *name;
        } names[] = {
                { -EAGAIN, "EAGAIN" }, { -EEXIST, "EEXIST" }, { -EHOSTDOWN, "EHOSTDOWN" },
                { -ENOENT, "ENOENT" }, { -ENOSPC, "ENOSPC" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (p->result == names[i].error)
                        outputs_add(&p->got, xasprintf("error %s", names[i].name));
}

/* --- words ------------------------------------------------------------------- */

static struct witness_source *find_source(struct play *p, const char *name)
{
        for (unsigned i = 0; i < WITNESS_SOURCES_MAX; i++)
                if (streq(p->witness.sources[i].name, name))
                        return &p->witness.sources[i];
        return NULL;
}

static struct witness_target *find_target(struct play *p, const char *name)
{
        return (struct witness_target *) router_find_target(&p->witness.router, name);
}

/* Keys separated by commas. */
static int parse_keys(char *list, struct keyset *ret)
{
        char *save = NULL;

        *ret = (struct keyset) { 0 };
        for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
                int code = hotkey_key_from_name(name);

                if (code < 0)
                        return code;
                keyset_add(ret, (unsigned) code);
        }
        return 0;
}

static int parse_msec(const char *word, uint64_t *ret_usec)
{
        char *end;
        unsigned long msec = strtoul(word, &end, 10);

        if (end == word || !streq(end, "ms"))
                return -EINVAL;
        *ret_usec = msec * UINT64_C(1000);
        return 0;
}

unsigned play_split(char *text, char *words[PLAY_WORDS_MAX])
{
        char *save = NULL;
        unsigned n = 0;

        for (char *word = strtok_r(text, " \t\n", &save); word && n < PLAY_WORDS_MAX; word = strtok_r(NULL, " \t\n", &save))
                words[n++] = word;
        return n;
}

void play_join(char **words, unsigned n, char *ret, size_t size)
{
        size_t used = 0;

        ret[0] = '\0';
        for (unsigned i = 0; i < n && used < size; i++)
                used += (size_t) snprintf(ret + used, size - used, "%s%s", i ? " " : "", words[i]);
}

/* --- commands ---------------------------------------------------------------- */

static int do_plug(struct play *p, char **words, unsigned n)
{
        struct witness_source *s = find_source(p, words[0]);
        struct keyset down = { 0 };

        if (!s)
                s = find_source(p, "");
        if (!s || s->plugged || strlen(words[0]) >= sizeof(s->name))
                return -EINVAL;
        if (n > 1 && parse_keys(words[1], &down) < 0)
                return -EINVAL;
        (void) snprintf(s->name, sizeof(s->name), "%s", words[0]);
        witness_plug(&p->witness, s, &down);
        return 0;
}

static int do_unplug(struct play *p, char **words, unsigned n)
{
        struct witness_source *s = find_source(p, words[0]);

        if (!s || !s->plugged)
                return -EINVAL;
        witness_unplug(&p->witness, s);
        return 0;
}

static int do_guest(struct play *p, char **words, unsigned n)
{
        struct witness *w = &p->witness;

        for (unsigned i = 0; i < WITNESS_GUESTS_MAX; i++) {
                int r;

                if (w->guests[i].known)
                        continue;
                r = witness_add_guest(w, &w->guests[i], words[0]);
                if (r == 0)
                        router_set_ready(&w->router, &w->guests[i].target, true, "running");
                p->result = r;
                return 0;
        }
        return -ENOSPC;
}

static int do_remove(struct play *p, char **words, unsigned n)
{
        struct witness_target *t = find_target(p, words[0]);

        if (!t)
                return -EINVAL;
        witness_remove_guest(&p->witness, t, "removed");
        return 0;
}

static int do_guard(struct play *p, char **words, unsigned n)
{
        struct witness_target *t = find_target(p, words[0]);

        for (unsigned i = 0; i < 2; i++) {
                int code = hotkey_key_from_name(words[1 + i]);

                if (!t || code < 0)
                        return -EINVAL;
                t->target.guard[i] = (uint16_t) code;
        }
        return 0;
}

static int do_hotkey(struct play *p, char **words, unsigned n)
{
        struct router *r = &p->witness.router;
        struct target *t = router_find_target(r, words[0]);
        struct chord *c = streq(words[0], "toggle") ? &r->toggle : streq(words[0], "next") ? &r->next : t ? &t->chord : NULL;
        unsigned bad;

        if (!c)
                return -EINVAL;
        *c = (struct chord) { 0 };
        if (n == 2 && streq(words[1], "none"))
                return 0;
        return hotkey_parse((const char *const *) words + 1, n - 1, &c->hotkey, &bad);
}

static int do_doubletap(struct play *p, char **words, unsigned n)
{
        return parse_msec(words[0], &p->witness.router.double_tap_usec);
}

static int do_wait(struct play *p, char **words, unsigned n)
{
        uint64_t usec;
        int r = parse_msec(words[0], &usec);

        if (r == 0)
                p->witness.usec += usec;
        return r;
}

static int do_ready(struct play *p, char **words, unsigned n)
{
        struct witness_target *t = find_target(p, words[0]);

        if (!t)
                return -EINVAL;
        router_set_ready(&p->witness.router, &t->target, true, "running");
        return 0;
}

static int do_lost(struct play *p, char **words, unsigned n)
{
        struct witness_target *t = find_target(p, words[0]);
        char reason[sizeof(t->target.reason)];

        if (!t)
                return -EINVAL;
        play_join(words + 1, n - 1, reason, sizeof(reason));
        router_set_ready(&p->witness.router, &t->target, false, reason);
        return 0;
}

static int do_switch(struct play *p, char **words, unsigned n)
{
        struct witness_target *t = find_target(p, words[0]);

        if (!t)
                return -EINVAL;
        p->result = router_switch(&p->witness.router, &t->target, "request");
        return 0;
}

static int do_toggle(struct play *p, char **words, unsigned n)
{
        p->result = router_toggle(&p->witness.router, "request");
        return 0;
}

static int do_next(struct play *p, char **words, unsigned n)
{
        p->result = router_switch_next(&p->witness.router, "request");
        return 0;
}

static int do_pause(struct play *p, char **words, unsigned n)
{
        witness_pause(&p->witness, "request");
        return 0;
}

static int do_resume(struct play *p, char **words, unsigned n)
{
        router_resume(&p->witness.router);
        return 0;
}

static int do_identify(struct play *p, char **words, unsigned n)
{
        router_identify(&p->witness.router);
        return 0;
}

static const struct command commands[] = {
        { "plug", 1, 2, do_plug },
        { "unplug", 1, 1, do_unplug },
        { "guest", 1, 1, do_guest },
        { "remove", 1, 1, do_remove },
        { "guard", 3, 3, do_guard },
        { "hotkey", 2, 1 + HOTKEY_KEYS_MAX, do_hotkey },
        { "doubletap", 1, 1, do_doubletap },
        { "wait", 1, 1, do_wait },
        { "ready", 1, 1, do_ready },
        { "lost", 2, PLAY_WORDS_MAX, do_lost },
        { "switch", 1, 1, do_switch },
        { "toggle", 0, 0, do_toggle },
        { "next", 0, 0, do_next },
        { "pause", 0, 0, do_pause },
        { "resume", 0, 0, do_resume },
        { "identify", 0, 0, do_identify },
};

/* The words after a source's name: what one read(2) returns from it. */
static int do_read(struct play *p, struct witness_source *s, char **words, unsigned n)
{
        struct input_event events[PLAY_WORDS_MAX + 1];
        struct keyset actual = { 0 };
        unsigned n_events = 0;
        bool complete = true, asked = false, dropped = false;

        for (unsigned i = 0; i < n; i++) {
                struct input_event *ev = &events[n_events];

                if (startswith(words[i], "now:")) {
                        if (parse_keys(words[i] + strlen("now:"), &actual) < 0)
                                return -EINVAL;
                        asked = true;
                } else if (streq(words[i], "...")) {
                        complete = false;
                } else if (streq(words[i], "syn") || streq(words[i], "dropped")) {
                        bool syn = streq(words[i], "syn");

                        dropped |= !syn;
                        *ev = (struct input_event) { .type = EV_SYN, .code = syn ? SYN_REPORT : SYN_DROPPED };
                        n_events++;
                } else if (notation_parse(words[i], ev) == 0) {
                        n_events++;
                } else {
                        return -EINVAL;
                }
        }
        if (complete)
                events[n_events++] = (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
        if (!s->plugged || (dropped && complete && !asked))
                return -EINVAL;
        witness_read(&p->witness, s, events, n_events, &actual);
        return 0;
}

static int run_words(struct play *p, char **words, unsigned n)
{
        struct witness_source *s = find_source(p, words[0]);

        if (s)
                return do_read(p, s, words + 1, n - 1);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (streq(commands[i].name, words[0]))
                        return n - 1 < commands[i].min || n - 1 > commands[i].max
                                       ? -EINVAL
                                       : commands[i].run(p, words + 1, n - 1);
        return -EINVAL;
}

/* --- steps ------------------------------------------------------------------- */

void play_init(struct play *p)
{
        *p = (struct play) { 0 };
        witness_init(&p->witness);
        p->witness.on_frame = got_frame;
        p->witness.userdata = p;
}

void play_clear(struct play *p)
{
        outputs_clear(&p->got);
}

int play_step(struct play *p, char *text)
{
        char *words[PLAY_WORDS_MAX];
        unsigned n = play_split(text, words);

        outputs_clear(&p->got);
        p->result = 0;
        if (n == 0 || run_words(p, words, n) < 0)
                return -EINVAL;
        got_notices(p);
        got_result(p);
        return 0;
}
