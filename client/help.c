/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/text.h"
#include "client/verbs.h"
#include "common/mem.h"

static void print_options(unsigned mask)
{
        for (const struct option_info *o = options; o->name; o++) {
                char left[64];

                if (!(o->flag & mask))
                        continue;
                (void) snprintf(left, sizeof(left), "%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
                if (o->short_name)
                        printf("  -%c, --%-20s %s\n", o->short_name, left, o->summary);
                else
                        printf("      --%-20s %s\n", left, o->summary);
        }
}

static void print_all(void)
{
        puts("Usage: vfioctl [OPTION...] VERB [ARGUMENT]\n\n"
             "Controls vfio-inputd, which shares a keyboard and a mouse between a host and its\n"
             "virtual machines.\n\nVerbs:");
        for (const struct verb *v = verbs; v->name; v++) {
                char left[64];

                (void) snprintf(left, sizeof(left), "%s %s", v->name, v->args);
                printf("  %-18s %s\n", left, v->summary);
        }
        puts("\nOptions:");
        print_options(~(unsigned) OPTIONS_OF_VERBS);
        puts("\nExit status: 0 done, 1 failed, 2 wrong usage, 3 daemon not reachable, 4 refused.\n"
             "See vfioctl(1), and \"vfioctl VERB --help\" for one verb.");
}

void help_print(const struct verb *verb)
{
        if (!verb) {
                print_all();
                return;
        }
        printf("Usage: vfioctl [OPTION...] %s%s%s\n\n%s\n\n", verb->name, *verb->args ? " " : "", verb->args,
               verb->help);
        if (verb->options) {
                printf("Options of %s:\n", verb->name);
                print_options(verb->options);
                putchar('\n');
        }
        puts("Options:");
        print_options(~(unsigned) OPTIONS_OF_VERBS);
}

enum outcome verb_help(struct client *c, char **args)
{
        const struct verb *verb = NULL;

        if (args[0]) {
                verb = verb_find(args[0]);
                if (!verb) {
                        text_complain("There is no verb \"%s\". See: vfioctl help", args[0]);
                        return OUTCOME_USAGE;
                }
        }
        help_print(verb);
        return OUTCOME_OK;
}
