/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A plan as JSON: {"schema":1,"files":[…],"commands":[…],"domains":[…],"notes":[…],
 * "gates":[…],"reboot_required":…,"expect":[…]}. */

#include <json-c/json.h>

#include "client/setup/plan.h"

enum plan_json {
        PLAN_JSON_SHOW,   /* for people's programs: with diffs, and without secrets */
        PLAN_JSON_RECORD, /* for the store, which keeps contents beside it */
};

/* Owned by the caller. */
json_object *plan_to_json(const struct plan *p, enum plan_json how);
const char *plan_verdict_name(enum plan_verdict v);
/* The XML with what stands in passwd='…' and in <secret>'s value hidden; owned by the caller, NULL stays NULL. */
char *plan_hide_secrets(const char *xml);
