#include "net/stream.h"

#include <errno.h>
#include <string.h>

const char *net_error_text(int error)
{
    switch (-error) {
    case 0:
        return "no error";
    case ECONNREFUSED:
        return "connection refused";
    case ECONNRESET:
        return "connection reset";
    case EPIPE:
        return "connection closed by the peer";
    case ETIMEDOUT:
        return "timed out";
    case ENOENT:
        return "no such host";
    case EAGAIN:
        return "the name server does not answer";
    case EREMOTEIO:
        return "the name server failed";
    case EHOSTUNREACH:
        return "no route to the host";
    case ENETUNREACH:
        return "no route to the network";
    case EMFILE:
        return "too many open files in this process (raise ulimit -n)";
    case ENFILE:
        return "too many open files on this machine";
    case EADDRNOTAVAIL:
        return "no local address or port left for it";
    case ENOMEM:
        return "out of memory";
    default:
        return strerror(-error);
    }
}
