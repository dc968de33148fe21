/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Cuts what a QMP peer sends into JSON messages, in whatever pieces it comes.
 *
 * The peer is any process that could create a socket, so nothing it sends may
 * cost more than a fixed amount of memory or time: a message has a greatest
 * length, depth and number of values, and a second a greatest number of bytes
 * and messages. No socket and no clock in here: the caller passes both. */

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "common/mem.h"

#define QMP_MESSAGE_MAX (1024U * 1024U)
#define QMP_MESSAGE_DEPTH_MAX 32
#define QMP_MESSAGE_CONTAINERS_MAX 8192U /* objects and arrays; each costs far more than its two bytes */
#define QMP_MESSAGE_VALUES_MAX 65536U
/* For every second. QEMU itself limits the events a guest can provoke to one a second each. */
#define QMP_RATE_BYTES_MAX (4U * 1024U * 1024U)
#define QMP_RATE_MESSAGES_MAX 1000U

struct qmp_stream;

/* Gets one message, a JSON object, which it borrows. A negative return stops. */
typedef int (*qmp_message_fn)(struct json_object *message, void *userdata);

struct qmp_stream *qmp_stream_new(void);
struct qmp_stream *qmp_stream_free(struct qmp_stream *s);
DEFINE_CLEANUP(struct qmp_stream *, qmp_stream_free);

/* Feeds what arrived at the time now and hands out every message that it
 * completes. 0, what fn returned, or for a peer to be cut off: -EBADMSG (no
 * JSON object), -EMSGSIZE (a message too large), -EOVERFLOW (too many). After
 * an error the stream is of no more use. */
int qmp_stream_feed(struct qmp_stream *s, uint64_t now_usec, const char *data, size_t size, qmp_message_fn fn,
                    void *userdata);
/* Whether the bytes so far end inside a message. */
bool qmp_stream_is_midway(const struct qmp_stream *s);
