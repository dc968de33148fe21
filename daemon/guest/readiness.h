/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What vfio-inputd was told about a guest: tells it again only if it is news,
 * or if vfio-inputd has forgotten. */

#include "daemon/guest/inputd-proxy.h"

struct readiness;

/* vfio-inputd has replied, or will not. */
typedef void (*readiness_fn)(void *userdata);

/* guest must stay valid. */
struct readiness *readiness_new(struct inputd *inputd, const char *guest, readiness_fn fn, void *userdata);
struct readiness *readiness_free(struct readiness *r);

/* Tells it, unless it knows, or has no such guest. */
void readiness_tell(struct readiness *r, enum inputd_readiness readiness, const char *reason);
/* Whether the reply to the last one told is due; fn will be called. */
bool readiness_is_pending(const struct readiness *r);
