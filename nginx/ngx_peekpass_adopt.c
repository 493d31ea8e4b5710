
/*
 * Copyright (C) Peekpass authors
 *
 * A connection of a descriptor.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


static void ngx_peekpass_refuse(ngx_peekpass_intake_t *in, int fd,
    ngx_err_t err, const char *why);
static void ngx_peekpass_close_adopted(ngx_connection_t *c);
static void ngx_peekpass_unmap(ngx_sockaddr_t *sa, socklen_t *socklen);
static void ngx_peekpass_set_options(ngx_peekpass_intake_t *in, int fd);
static void ngx_peekpass_set_option(ngx_peekpass_intake_t *in, int fd,
    int level, int option, int value, const char *name);


/*
 * Makes a connection of a descriptor, as ngx_event_accept() does of what
 * accept() returns.  On NGX_BUSY the descriptor is still the intake's.
 */

ngx_int_t
ngx_peekpass_adopt(ngx_peekpass_intake_t *in, int fd)
{
    int                     protocol;
    socklen_t               socklen, local_socklen, len;
    ngx_log_t              *log;
    ngx_uint_t              accept_mutex;
    ngx_event_t            *rev, *wev;
    ngx_sockaddr_t          sa, local;
    struct sockaddr        *local_sockaddr;
    ngx_listening_t        *ls;
    ngx_connection_t       *c;
    ngx_atomic_uint_t       number;
    ngx_peekpass_listen_t  *pl;

    pl = in->pl;
    ls = in->ls;

    if (pl->verify) {

        len = sizeof(int);

        if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == -1) {
            ngx_peekpass_refuse(in, fd, ngx_socket_errno, "not a socket");
            return NGX_OK;
        }

        if (protocol != IPPROTO_TCP) {
            ngx_peekpass_refuse(in, fd, 0, "not a TCP socket");
            return NGX_OK;
        }
    }

    socklen = sizeof(ngx_sockaddr_t);

    if (getpeername(fd, &sa.sockaddr, &socklen) == -1) {

        if (ngx_socket_errno == NGX_ENOTCONN) {
            ngx_log_error(NGX_LOG_INFO, &in->log, ngx_socket_errno,
                          "peekpass: the client has gone");

            if (ngx_close_socket(fd) == -1) {
                ngx_log_error(NGX_LOG_ALERT, &in->log, ngx_socket_errno,
                              ngx_close_socket_n " failed");
            }

            return NGX_OK;
        }

        ngx_peekpass_refuse(in, fd, ngx_socket_errno, "no peer");
        return NGX_OK;
    }

    local_socklen = sizeof(ngx_sockaddr_t);

    if (getsockname(fd, &local.sockaddr, &local_socklen) == -1) {
        ngx_peekpass_refuse(in, fd, ngx_socket_errno, "no address");
        return NGX_OK;
    }

    if (sa.sockaddr.sa_family != AF_INET
#if (NGX_HAVE_INET6)
        && sa.sockaddr.sa_family != AF_INET6
#endif
       )
    {
        ngx_peekpass_refuse(in, fd, 0, "not an IP socket");
        return NGX_OK;
    }

    if (pl->verify && ngx_nonblocking(fd) == -1) {
        ngx_peekpass_refuse(in, fd, ngx_socket_errno,
                            ngx_nonblocking_n " failed");
        return NGX_OK;
    }

    ngx_accept_disabled = ngx_cycle->connection_n / 8
                          - ngx_cycle->free_connection_n;

    c = ngx_get_connection(fd, &in->log);

    if (c == NULL) {
        return NGX_BUSY;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_accepted, 1);
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    c->type = SOCK_STREAM;

    c->pool = ngx_create_pool(ls->pool_size, &in->log);
    if (c->pool == NULL) {
        goto failed;
    }

    if (pl->unmap) {
        ngx_peekpass_unmap(&sa, &socklen);
        ngx_peekpass_unmap(&local, &local_socklen);
    }

    c->sockaddr = ngx_palloc(c->pool, socklen);
    local_sockaddr = ngx_palloc(c->pool, local_socklen);
    log = ngx_palloc(c->pool, sizeof(ngx_log_t));

    if (c->sockaddr == NULL || local_sockaddr == NULL || log == NULL) {
        goto failed;
    }

    ngx_memcpy(c->sockaddr, &sa, socklen);
    ngx_memcpy(local_sockaddr, &local, local_socklen);

    *log = ls->log;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->log = log;
    c->pool->log = log;

    c->socklen = socklen;
    c->listening = ls;

    /*
     * The handler finds its servers by the address family of the listening
     * socket.  The connection's own address follows once it has.
     */

    c->local_sockaddr = ls->sockaddr;
    c->local_socklen = ls->socklen;

    rev = c->read;
    wev = c->write;

    wev->ready = 1;

    if (pl->deferred) {
        rev->ready = 1;
#if (NGX_HAVE_KQUEUE || NGX_HAVE_EPOLLRDHUP)
        /* not known, as after an event: 1 would be taken for all there is */
        rev->available = -1;
#endif
    }

    rev->log = log;
    wev->log = log;

    /*
     * The first client of a channel gets the channel's number, so that clients
     * are numbered as on TCP as far as that goes.
     */

    if (in->number) {
        in->number = 0;
        c->number = in->connection->number;

    } else {
        c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    }

    c->start_time = ngx_current_msec;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_handled, 1);
#endif

    if (ls->addr_ntop) {
        c->addr_text.data = ngx_pnalloc(c->pool, ls->addr_text_max_len);
        if (c->addr_text.data == NULL) {
            goto failed;
        }

        c->addr_text.len = ngx_sock_ntop(c->sockaddr, c->socklen,
                                         c->addr_text.data,
                                         ls->addr_text_max_len, 0);
        if (c->addr_text.len == 0) {
            goto failed;
        }
    }

#if (NGX_DEBUG)
    {
    ngx_str_t          addr;
    ngx_event_conf_t  *ecf;
    u_char             text[NGX_SOCKADDR_STRLEN];

    ecf = ngx_event_get_conf(ngx_cycle->conf_ctx, ngx_event_core_module);

    ngx_debug_accepted_connection(ecf, c);

    if (log->log_level & NGX_LOG_DEBUG_EVENT) {
        addr.data = text;
        addr.len = ngx_sock_ntop(c->sockaddr, c->socklen, text,
                                 NGX_SOCKADDR_STRLEN, 1);

        ngx_log_debug3(NGX_LOG_DEBUG_EVENT, log, 0,
                       "*%uA peekpass: %V fd:%d", c->number, &addr, fd);
    }

    }
#endif

    if (ngx_add_conn && (ngx_event_flags & NGX_USE_EPOLL_EVENT) == 0) {
        if (ngx_add_conn(c) == NGX_ERROR) {
            goto failed;
        }
    }

    ngx_peekpass_set_options(in, fd);

    log->data = NULL;
    log->handler = NULL;

    number = c->number;

    /*
     * While there is an accept mutex, http, stream and mail post what they do
     * first with a connection instead of doing it: so it comes after the
     * address is set.
     */

    accept_mutex = ngx_use_accept_mutex;
    ngx_use_accept_mutex = 1;

    pl->handler(c);

    ngx_use_accept_mutex = accept_mutex;

    if (c->fd == fd && c->number == number) {
        c->local_sockaddr = local_sockaddr;
        c->local_socklen = local_socklen;
    }

    return NGX_OK;

failed:

    ngx_peekpass_close_adopted(c);

    return NGX_OK;
}


static void
ngx_peekpass_refuse(ngx_peekpass_intake_t *in, int fd, ngx_err_t err,
    const char *why)
{
    if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_BAD_DESCRIPTOR)) {
        ngx_log_error(NGX_LOG_ERR, &in->log, err,
                      "peekpass: refused a descriptor that is no client's "
                      "connection: %s", why);
    }

    /* whatever it is, it may be anything */

    if (close(fd) == -1) {
        ngx_log_error(NGX_LOG_ERR, &in->log, ngx_errno,
                      "peekpass: close() failed");
    }
}


static void
ngx_peekpass_close_adopted(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

    pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


/* an IPv4 client of a dual-stack socket gets its IPv4 address */

static void
ngx_peekpass_unmap(ngx_sockaddr_t *sa, socklen_t *socklen)
{
#if (NGX_HAVE_INET6)

    in_port_t        port;
    struct in6_addr  addr;

    if (sa->sockaddr.sa_family != AF_INET6
        || !IN6_IS_ADDR_V4MAPPED(&sa->sockaddr_in6.sin6_addr))
    {
        return;
    }

    addr = sa->sockaddr_in6.sin6_addr;
    port = sa->sockaddr_in6.sin6_port;

    *socklen = sizeof(struct sockaddr_in);
    ngx_memzero(&sa->sockaddr_in, sizeof(struct sockaddr_in));

    sa->sockaddr_in.sin_family = AF_INET;
    sa->sockaddr_in.sin_port = port;
    ngx_memcpy(&sa->sockaddr_in.sin_addr, &addr.s6_addr[12], 4);

#endif
}


/* what a TCP listening socket would have given to its connections */

static void
ngx_peekpass_set_options(ngx_peekpass_intake_t *in, int fd)
{
    ngx_peekpass_listen_t  *pl;

    pl = in->pl;

    if (pl->rcvbuf != -1) {
        ngx_peekpass_set_option(in, fd, SOL_SOCKET, SO_RCVBUF, pl->rcvbuf,
                                "SO_RCVBUF");
    }

    if (pl->sndbuf != -1) {
        ngx_peekpass_set_option(in, fd, SOL_SOCKET, SO_SNDBUF, pl->sndbuf,
                                "SO_SNDBUF");
    }

    if (pl->keepalive) {
        ngx_peekpass_set_option(in, fd, SOL_SOCKET, SO_KEEPALIVE,
                                pl->keepalive == 1, "SO_KEEPALIVE");
    }

#if (NGX_HAVE_KEEPALIVE_TUNABLE)

    if (pl->keepidle) {
        ngx_peekpass_set_option(in, fd, IPPROTO_TCP, TCP_KEEPIDLE,
                                pl->keepidle, "TCP_KEEPIDLE");
    }

    if (pl->keepintvl) {
        ngx_peekpass_set_option(in, fd, IPPROTO_TCP, TCP_KEEPINTVL,
                                pl->keepintvl, "TCP_KEEPINTVL");
    }

    if (pl->keepcnt) {
        ngx_peekpass_set_option(in, fd, IPPROTO_TCP, TCP_KEEPCNT,
                                pl->keepcnt, "TCP_KEEPCNT");
    }

#endif
}


static void
ngx_peekpass_set_option(ngx_peekpass_intake_t *in, int fd, int level,
    int option, int value, const char *name)
{
    if (setsockopt(fd, level, option, (const void *) &value, sizeof(int))
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, &in->log, ngx_socket_errno,
                      "setsockopt(%s, %d) failed, ignored", name, value);
    }
}
