/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/peer.h"

#include <pwd.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/mem.h"

int peer_connect(const char *path, struct peer *ret)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _autoclose_ int fd = -EBADF;
        struct ucred cred;
        socklen_t size = sizeof(cred);

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
                return -errno;
        *ret = (struct peer){ .pid = cred.pid, .uid = cred.uid };
        return TAKE_FD(fd);
}

static int parse_uid(const char *s, uid_t *ret)
{
        unsigned long value;
        char *end;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        errno = 0;
        value = strtoul(s, &end, 10);
        if (errno || *end || value >= UINT32_MAX)
                return -EINVAL;
        *ret = (uid_t) value;
        return 0;
}

int peer_resolve_user(const char *user, uid_t *ret)
{
        const struct passwd *pw;

        if (parse_uid(user, ret) >= 0)
                return 0;
        pw = getpwnam(user);
        if (!pw)
                return -ESRCH;
        *ret = pw->pw_uid;
        return 0;
}
