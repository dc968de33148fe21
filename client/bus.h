/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls to the two services, and what their errors mean to the user. */

#include "client/client.h"
#include "common/mem.h"
#include "common/names.h"

#define _cleanup_error_ _cleanup_(sd_bus_error_free)

#define SECONDS(n) ((uint64_t) (n) * 1000000)
/* A daemon never takes long to say what it knows; what changes something may
 * wait for a password or for QEMU. */
#define TIMEOUT_READ SECONDS(10)
#define TIMEOUT_CHANGE SECONDS(120)

struct service {
        const char *program; /* as its user knows it */
        const char *json_key;
        const char *bus_name, *root, *manager;
        const char *start; /* the command that starts it */
};

extern const struct service inputd_service, guestd_service;

/* Opens c->bus and waits until it is there, -ETIMEDOUT if that takes too long. */
int bus_open(struct client *c);
/* The same. Reports its own failures. */
enum outcome bus_connect(struct client *c);

/* The timeout to use: that of the user, if given. */
uint64_t bus_timeout(const struct client *c, uint64_t usual);

/* A call that reads and so never starts the service. */
int bus_new_read(struct client *c, const struct service *s, const char *iface, const char *member,
                 sd_bus_message **ret);
/* Sends a call of bus_new_read and waits. Negative errno with error set. */
int bus_read(struct client *c, sd_bus_message *m, sd_bus_error *error, sd_bus_message **ret_reply);

/* Calls a method of the manager that changes something, with arguments as of
 * sd_bus_message_append(). May start vfio-guestd, but not vfio-inputd: taking the
 * keyboard is for whoever enabled it. Negative errno with error set; ret_reply may be NULL. */
int bus_change(struct client *c, const struct service *s, const char *member, sd_bus_error *error,
               sd_bus_message **ret_reply, const char *types, ...);

/* What a failed call means, with a sentence owned by the caller. */
enum outcome bus_explain(const struct client *c, const struct service *s, const sd_bus_error *error,
                         char **ret_sentence);
/* Reports a failure: words on stderr, with --json an object on stdout. Returns outcome. */
enum outcome bus_report(const struct client *c, enum outcome outcome, const char *error_name, const char *sentence);
/* Both. */
enum outcome bus_fail(const struct client *c, const struct service *s, const sd_bus_error *error);
