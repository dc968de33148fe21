/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vfioctl: options and verb in any order, then the verb's own file. */

#include <getopt.h>
#include <locale.h>
#include <stdio.h>

#include "client/bus.h"
#include "client/text.h"
#include "client/verbs.h"

#define OPTIONS_MAX 16
#define TIMEOUT_MAX_SECONDS 1e6

static enum outcome usage(const char *hint)
{
        fprintf(stderr, "See: vfioctl %s%s--help\n", hint ? hint : "", hint ? " " : "");
        return OUTCOME_USAGE;
}

static int parse_timeout(const char *s, uint64_t *ret)
{
        char *end;
        double seconds = strtod(s, &end);

        if (end == s || *end || !(seconds > 0) || seconds > TIMEOUT_MAX_SECONDS)
                return -EINVAL;
        *ret = MAX((uint64_t) (seconds * 1e6), 1U);
        return 0;
}

static int take_option(struct client *c, const struct option_info *o, const char *arg)
{
        c->options |= o->flag;
        if (o->flag != OPTION_TIMEOUT || parse_timeout(arg, &c->timeout_usec) >= 0)
                return 0;
        text_complain("--timeout wants a number of seconds above 0, not \"%s\"", arg);
        return -EINVAL;
}

/* Moves the words that are no options to args, which has room for all of argv. */
static int parse(struct client *c, int argc, char **argv, char **args)
{
        struct option longs[OPTIONS_MAX] = { 0 };
        int choice, index;

        for (int i = 0; options[i].name; i++) {
                longs[i].name = options[i].name;
                longs[i].has_arg = options[i].arg ? required_argument : no_argument;
                longs[i].val = options[i].flag << 8; /* out of the way of letters */
        }
        /* "-": words come in their order, as option 1, whatever POSIXLY_CORRECT says. */
        while ((choice = getopt_long(argc, argv, "-h", longs, NULL)) != -1) {
                if (choice == 1) {
                        *args++ = optarg;
                        continue;
                }
                for (index = 0; options[index].name; index++)
                        if (choice == longs[index].val || choice == options[index].short_name)
                                break;
                if (!options[index].name || take_option(c, &options[index], optarg) < 0)
                        return -EINVAL; /* getopt has complained */
        }
        while (optind < argc)
                *args++ = argv[optind++];
        return 0;
}

static enum outcome check(const struct client *c, const struct verb *verb, char **args)
{
        unsigned n = 0;

        for (; args[n]; n++)
                if (!text_is_utf8(args[n])) {
                        text_complain("\"%s\" is no UTF-8 text", args[n]);
                        return usage(verb->name);
                }
        for (const struct option_info *o = options; o->name; o++)
                if (c->options & o->flag & OPTIONS_OF_VERBS & ~verb->options) {
                        text_complain("\"%s\" has no option --%s", verb->name, o->name);
                        return usage(verb->name);
                }
        if (c->options & OPTION_LIST ? n > 0 : n > verb->max_args) {
                text_complain("One word too many: \"%s\"", args[n - 1]);
                return usage(verb->name);
        }
        if (n < verb->min_args && !(c->options & OPTION_LIST)) {
                text_complain("\"%s\" wants %s%s", verb->name, verb->min_args > 1 ? "" : "a ", verb->args);
                return usage(verb->name);
        }
        return OUTCOME_OK;
}

static enum outcome run(struct client *c, char **args)
{
        const struct verb *verb = args[0] ? verb_find(args[0]) : NULL;
        enum outcome outcome;

        if (args[0] && !verb) {
                text_complain("There is no verb \"%s\"", args[0]);
                return usage(NULL);
        }
        if (c->options & OPTION_HELP) {
                help_print(verb);
                return OUTCOME_OK;
        }
        if (c->options & OPTION_VERSION) {
                puts("vfioctl " PACKAGE_VERSION);
                return OUTCOME_OK;
        }
        if (!verb) {
                text_complain("What shall be done? A verb is missing");
                return usage(NULL);
        }
        if (verb->foreign) {
                text_complain("Write \"%s\" first, its options behind it", verb->name);
                return usage(verb->name);
        }
        outcome = check(c, verb, args + 1);
        if (outcome == OUTCOME_OK && !verb->without_bus)
                outcome = bus_connect(c);
        return outcome == OUTCOME_OK ? verb->run(c, args + 1) : outcome;
}

int main(int argc, char **argv)
{
        _autofree_ char **args = xnew0(char *, (size_t) argc + 1);
        struct client c = { 0 };
        const struct verb *verb;
        enum outcome outcome;

        (void) setlocale(LC_CTYPE, "");
        verb = argc > 1 ? verb_find(argv[1]) : NULL;
        if (verb && verb->foreign)
                return verb->run(&c, argv + 2);
        outcome = parse(&c, argc, argv, args) < 0 ? usage(NULL) : run(&c, args);
        sd_bus_close_unref(c.bus); /* nothing to flush: every call had its answer */

        if (fflush(stdout) != 0 || ferror(stdout)) {
                text_complain("Cannot write: %s", strerror(errno));
                return outcome == OUTCOME_OK ? OUTCOME_FAILED : outcome;
        }
        return outcome;
}
