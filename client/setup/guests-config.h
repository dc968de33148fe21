/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Adding a guest to the text of /etc/vfio-inputd.conf. Pure; every byte of the
 * person's own stays where it was. */

#include "common/config.h"

/* text: of the file, NULL: there is none. include_dir: as of config_parse().
 * 1 with the new text in *ret (owned by the caller); 0: the domain has its guest
 * there already. Either way *ret_guest is as configured. Negative with a sentence
 * in *ret_error (owned by the caller): the file has a mistake, or its guests are
 * where they cannot be added to. uuid may be NULL; wanted: the name if it is free. */
int guests_config_add(const char *text, const char *include_dir, const char *domain, const char *uuid,
                      const char *wanted, char **ret, struct guest_config *ret_guest, char **ret_error);
