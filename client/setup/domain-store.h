/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The persistent definitions of libvirt's domains: all that setting up reads
 * and writes of them. Errors are negative errnos with libvirt's own sentence in
 * *ret_error (owned by the caller; ret_error may be NULL). */

#include "common/mem.h"

struct domain_store;

/* uri: NULL is qemu:///system. */
int domain_store_open(const char *uri, struct domain_store **ret, char **ret_error);
/* libvirt lets us look only: what is read has no secrets then, and must not be defined again. */
bool domain_store_is_read_only(const struct domain_store *s);
struct domain_store *domain_store_free(struct domain_store *s);
DEFINE_CLEANUP(struct domain_store *, domain_store_free);

/* name: or UUID. The persistent XML with its secrets; -ENOENT: no such domain. */
int domain_store_read(struct domain_store *s, const char *name, char **ret_xml, char **ret_error);
/* Validated by libvirt's schema. Nothing changes on failure. */
int domain_store_define(struct domain_store *s, const char *xml, char **ret_error);
/* Its disks and its NVRAM stay. */
int domain_store_undefine(struct domain_store *s, const char *name, char **ret_error);
/* 1: runs now, 0: does not. */
int domain_store_is_running(struct domain_store *s, const char *name, char **ret_error);
/* Names of all domains that have a definition, sorted; free with strv_free(). */
int domain_store_list(struct domain_store *s, char ***ret, char **ret_error);
/* 1: there is such a network and it runs, 0: it does not run now; -ENOENT: there is none. */
int domain_store_find_network(struct domain_store *s, const char *name, char **ret_error);
