/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A block of ours in a file that has no folder of drop-ins, between a line
 * "# begin vfio-inputd" and a line "# end vfio-inputd". */

/* The text with body (whole lines) as that block: in the place of the old one, or
 * at the end; NULL or "": without one. All else stays byte for byte. Owned by
 * the caller. -EBADMSG: there is a beginning without an end, or more than one. */
int block_set(const char *text, const char *body, char **ret);
