/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What would be changed, complete before anything is: files with their whole
 * new content, commands, domains. Steps fill it (step.h), plan-print shows it,
 * transaction.h carries it out. Order is the order of carrying out: all files,
 * then all commands, then all domains, each as they were added. */

#include <json-c/json.h>
#include <sys/types.h>

#include "client/setup/choices.h"
#include "client/setup/machine.h"

/* How a new content is proven to be well-formed before it replaces the old. */
enum validator {
        VALIDATE_NONE,
        VALIDATE_SHELL,      /* sh -n, and our own reader finds the assignment it wrote */
        VALIDATE_MODPROBE,   /* our own reader */
        VALIDATE_APPARMOR,   /* apparmor_parser -QK, if it is installed */
        VALIDATE_LIBVIRT_CONF, /* our own reader, which is as strict as libvirt's */
        VALIDATE_CMDLINE,    /* one line, printable, quotes in pairs */
};

struct plan_file {
        const char *step; /* borrowed, as all names of steps */
        char *path;       /* absolute, of the root; parents are made as needed */
        char *why;        /* one sentence */
        char *before;     /* NULL: is not there */
        char *after;      /* NULL: is removed */
        size_t before_size, after_size;
        mode_t mode;      /* of a new file; one that is there keeps mode, owner and extended attributes */
        enum validator validator;
};

/* An argument vector, run without a shell, in the root. */
struct plan_command {
        const char *step;
        char *why;
        char **argv;
        char **undo;     /* takes it back; NULL: argv itself, once the files are back (a rebuild) */
        bool no_undo;    /* nothing takes it back: packages that were installed */
        bool is_rebuild; /* left out with --no-rebuild, and when no file of the plan changes; runs once, however often added */
        char **changed;  /* what it changes outside files of the plan, for the person: "the entries of all kernels" */
};

struct plan_domain {
        const char *step;
        char *name;
        char *why;
        char *before; /* persistent XML with secrets; NULL: is made */
        char *after;  /* NULL: is undefined */
};

/* One step of the guide, or of ours, and what became of it. None is dropped in silence. */
enum plan_verdict {
        PLAN_CHANGES,    /* something is planned for it */
        PLAN_DONE,       /* is so already */
        PLAN_NOT_NEEDED, /* replaced by something better, or of no use here: text says why */
        PLAN_OPTIONAL,   /* left out unless asked for: text names the option */
        PLAN_BY_HAND,    /* cannot be done for the person: text and lines say what to do */
};

struct plan_note {
        const char *step;
        enum plan_verdict verdict;
        char *text;
        char **lines; /* commands or snippets to be followed by hand; NULL: none */
};

/* What must not be done without the person saying so by name: --accept-risk=ID. */
struct plan_gate {
        const char *id; /* borrowed */
        char *text;
        bool accepted;
        bool is_final; /* cannot be opened at all */
};

struct plan {
        struct plan_file *files;
        struct plan_command *commands;
        struct plan_domain *domains;
        struct plan_note *notes;
        struct plan_gate *gates;
        size_t n_files, n_commands, n_domains, n_notes, n_gates;
        char **reboot; /* why a reboot is needed; NULL: it is not */
        char **expect; /* words of the kernel's command line after it */
        char **bound;  /* addresses of functions that are vfio-pci's after it */
};

void plan_clear(struct plan *p);

/* The file with its new content. Reads what is there now, or takes what an
 * earlier step has planned for the same path, so that two steps can change one
 * file: plan_content() first, change, then this. Equal to what is there: nothing
 * is planned. after: NULL removes. Copies its arguments. */
int plan_set_file(struct plan *p, const struct root *r, const char *step, const char *path, const char *after,
                  mode_t mode, enum validator validator, const char *why);
/* What path will hold by the plan so far, owned by the caller. -ENOENT: nothing. */
int plan_content(const struct plan *p, const struct root *r, const char *path, char **ret);
/* The new command, to be filled in further; takes argv. The pointer is valid until the next is added.
 * A rebuild with the same argv is added once. */
struct plan_command *plan_add_command(struct plan *p, const char *step, char **argv, const char *why);
/* Nothing is planned if both are equal. NULL as in struct plan_domain. Copies. */
void plan_add_domain(struct plan *p, const char *step, const char *name, const char *before, const char *after,
                     const char *why);
struct plan_note *plan_note(struct plan *p, const char *step, enum plan_verdict verdict, const char *format, ...)
        _printf_(4, 5);
void plan_gate(struct plan *p, const struct choices *c, const char *id, const char *format, ...) _printf_(4, 5);
void plan_need_reboot(struct plan *p, const char *why);
void plan_expect(struct plan *p, const char *word);
void plan_expect_bound(struct plan *p, const char *address);

bool plan_is_empty(const struct plan *p);
/* The first gate that is not accepted; NULL: all are. */
const struct plan_gate *plan_closed_gate(const struct plan *p);
