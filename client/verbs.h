/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs and options of vfioctl. Help is printed from these tables; the man
 * page and the completion are tested against them. */

#include "client/client.h"

/* args: what stood after the verb, ended by NULL. Reports its own failures. */
typedef enum outcome (*verb_fn)(struct client *c, char **args);

struct verb {
        const char *name;
        const char *args; /* as in the synopsis, or "" */
        const char *summary; /* a line for the list of verbs */
        const char *help; /* the paragraph of "vfioctl VERB --help" */
        unsigned min_args, max_args;
        unsigned options; /* of OPTIONS_OF_VERBS */
        bool without_bus;
        bool foreign; /* a program of its own, which gets all words behind the verb as they are */
        verb_fn run;
};

struct option_info {
        const char *name; /* without dashes */
        char short_name; /* or 0 */
        const char *arg; /* NULL: takes none */
        const char *summary;
        enum option_flag flag;
};

/* Both end with an entry whose name is NULL. */
extern const struct verb verbs[];
extern const struct option_info options[];

const struct verb *verb_find(const char *name);

/* Prints to stdout the help of one verb, or of all with NULL. */
void help_print(const struct verb *verb);

enum outcome verb_attach(struct client *c, char **args);
enum outcome verb_detach(struct client *c, char **args);
enum outcome verb_devices(struct client *c, char **args);
enum outcome verb_doctor(struct client *c, char **args);
enum outcome verb_grant(struct client *c, char **args);
enum outcome verb_grants(struct client *c, char **args);
enum outcome verb_guests(struct client *c, char **args);
enum outcome verb_help(struct client *c, char **args);
enum outcome verb_monitor(struct client *c, char **args);
enum outcome verb_pause(struct client *c, char **args);
enum outcome verb_reload(struct client *c, char **args);
enum outcome verb_resume(struct client *c, char **args);
enum outcome verb_revoke(struct client *c, char **args);
enum outcome verb_setup(struct client *c, char **args);
enum outcome verb_status(struct client *c, char **args);
enum outcome verb_switch(struct client *c, char **args);
