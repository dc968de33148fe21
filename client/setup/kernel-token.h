/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One word of the kernel's command line that was meant for a guide's purpose,
 * and what the kernel makes of it: it does not complain of words it does not know. */

#include "client/setup/cpu.h"

enum kernel_token {
        KERNEL_TOKEN_FINE,     /* or none of our business */
        KERNEL_TOKEN_USELESS,  /* known, but without effect here */
        KERNEL_TOKEN_MISSPELT, /* the kernel knows nothing of it */
};

/* ret_reason: a sentence, owned by the caller; set unless it is fine. */
enum kernel_token kernel_token_judge(const char *token, enum cpu_vendor vendor, char **ret_reason);
