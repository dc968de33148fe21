/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/node.h"

#include "common/mem.h"

char *node_absolute(const char *path)
{
        _autofree_ char *folder = NULL;

        if (*path == '/' || *path == '\0')
                return xstrdup(path);
        folder = getcwd(NULL, 0);
        return folder ? xasprintf("%s/%s", folder, path) : xstrdup(path);
}
