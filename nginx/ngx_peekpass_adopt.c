
/*
 * Copyright (C) Peekpass authors
 *
 * A connection of a descriptor, as ngx_event_accept() makes one of what
 * accept() returns.
 *
 *   inspect          is it a client's connection, and between whom?
 *   get_connection   from here on the connection owns the descriptor
 *   init_connection  memory, events, number, text of the address
 *   set_options      of the "listen"
 *   handle           the handler of http, stream or mail
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


/* both ends of a passed connection */
typedef struct {
    ngx_sockaddr_t              peer;
    socklen_t                   peer_len;
    ngx_sockaddr_t              local;
    socklen_t                   local_len;
} ngx_peekpass_ends_t;


static ngx_int_t ngx_peekpass_inspect(ngx_peekpass_intake_t *in, int fd,
    ngx_peekpass_ends_t *ends);
static ngx_int_t ngx_peekpass_check_protocol(ngx_peekpass_intake_t *in,
    int fd);
static ngx_int_t ngx_peekpass_get_ends(ngx_peekpass_intake_t *in, int fd,
    ngx_peekpass_ends_t *ends);
static ngx_int_t ngx_peekpass_refuse(ngx_peekpass_intake_t *in, ngx_err_t err,
    const char *why);
static void ngx_peekpass_unmap(ngx_sockaddr_t *sa, socklen_t *socklen);

static ngx_connection_t *ngx_peekpass_get_connection(ngx_peekpass_intake_t *in,
    int fd);
static ngx_int_t ngx_peekpass_init_connection(ngx_peekpass_intake_t *in,
    ngx_connection_t *c, ngx_peekpass_ends_t *ends);
static void ngx_peekpass_init_events(ngx_peekpass_listen_t *pl,
    ngx_connection_t *c);
static ngx_atomic_uint_t ngx_peekpass_number(ngx_peekpass_intake_t *in);
static ngx_int_t ngx_peekpass_set_text(ngx_connection_t *c);
#if (NGX_DEBUG)
static void ngx_peekpass_debug(ngx_connection_t *c);
#endif
static ngx_int_t ngx_peekpass_handle(ngx_peekpass_listen_t *pl,
    ngx_connection_t *c, ngx_peekpass_ends_t *ends);
static void ngx_peekpass_close_adopted(ngx_connection_t *c);

static void ngx_peekpass_set_options(ngx_peekpass_intake_t *in, int fd);
static void ngx_peekpass_set_option(ngx_peekpass_intake_t *in, int fd,
    int level, int option, int value, const char *name);


/*
 * NGX_OK: the descriptor is no longer the intake's: a connection has it, or it
 * is closed.  NGX_BUSY: there is no connection for it, it is still the
 * intake's, and open.
 */

ngx_int_t
ngx_peekpass_adopt(ngx_peekpass_intake_t *in, int fd)
{
    ngx_connection_t     *c;
    ngx_peekpass_ends_t   ends;

    if (ngx_peekpass_inspect(in, fd, &ends) != NGX_OK) {
        ngx_peekpass_close(in, &fd, 1);
        return NGX_OK;
    }

    c = ngx_peekpass_get_connection(in, fd);

    if (c == NULL) {
        return NGX_BUSY;
    }

    /* the connection owns the descriptor, and is closed with it */

    if (ngx_peekpass_init_connection(in, c, &ends) != NGX_OK) {
        ngx_peekpass_close_adopted(c);
        return NGX_OK;
    }

    ngx_peekpass_set_options(in, fd);

    if (ngx_peekpass_handle(in->pl, c, &ends) != NGX_OK) {
        ngx_peekpass_close_adopted(c);
    }

    return NGX_OK;
}


/*
 * Whether the descriptor is a client's connection, and between whom; makes it
 * non-blocking.  If it is none, NGX_DECLINED, and the reason is logged.  The
 * descriptor stays the caller's.
 */

static ngx_int_t
ngx_peekpass_inspect(ngx_peekpass_intake_t *in, int fd,
    ngx_peekpass_ends_t *ends)
{
    if (in->pl->verify && ngx_peekpass_check_protocol(in, fd) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_peekpass_get_ends(in, fd, ends) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (in->pl->verify && ngx_nonblocking(fd) == -1) {
        return ngx_peekpass_refuse(in, ngx_socket_errno,
                                   ngx_nonblocking_n " failed");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_peekpass_check_protocol(ngx_peekpass_intake_t *in, int fd)
{
    int        protocol;
    socklen_t  len;

    len = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == -1) {
        return ngx_peekpass_refuse(in, ngx_socket_errno, "not a socket");
    }

    if (protocol != IPPROTO_TCP) {
        return ngx_peekpass_refuse(in, 0, "not a TCP socket");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_peekpass_get_ends(ngx_peekpass_intake_t *in, int fd,
    ngx_peekpass_ends_t *ends)
{
    ends->peer_len = sizeof(ngx_sockaddr_t);

    if (getpeername(fd, &ends->peer.sockaddr, &ends->peer_len) == -1) {

        if (ngx_socket_errno == NGX_ENOTCONN) {
            ngx_log_error(NGX_LOG_INFO, &in->log, ngx_socket_errno,
                          "peekpass: the client has gone");
            return NGX_DECLINED;
        }

        return ngx_peekpass_refuse(in, ngx_socket_errno, "no peer");
    }

    ends->local_len = sizeof(ngx_sockaddr_t);

    if (getsockname(fd, &ends->local.sockaddr, &ends->local_len) == -1) {
        return ngx_peekpass_refuse(in, ngx_socket_errno, "no address");
    }

    if (ends->peer.sockaddr.sa_family != AF_INET
#if (NGX_HAVE_INET6)
        && ends->peer.sockaddr.sa_family != AF_INET6
#endif
       )
    {
        return ngx_peekpass_refuse(in, 0, "not an IP socket");
    }

    if (in->pl->unmap) {
        ngx_peekpass_unmap(&ends->peer, &ends->peer_len);
        ngx_peekpass_unmap(&ends->local, &ends->local_len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_peekpass_refuse(ngx_peekpass_intake_t *in, ngx_err_t err, const char *why)
{
    if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_BAD_DESCRIPTOR)) {
        ngx_log_error(NGX_LOG_ERR, &in->log, err,
                      "peekpass: refused a descriptor that is no client's "
                      "connection: %s", why);
    }

    return NGX_DECLINED;
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


/* NULL if there is none: then the descriptor stays the caller's */

static ngx_connection_t *
ngx_peekpass_get_connection(ngx_peekpass_intake_t *in, int fd)
{
    ngx_connection_t  *c;

    ngx_accept_disabled = ngx_cycle->connection_n / 8
                          - ngx_cycle->free_connection_n;

    c = ngx_get_connection(fd, &in->log);

    if (c == NULL) {
        return NULL;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_accepted, 1);
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    return c;
}


/* on NGX_ERROR the connection is the caller's, to be closed */

static ngx_int_t
ngx_peekpass_init_connection(ngx_peekpass_intake_t *in, ngx_connection_t *c,
    ngx_peekpass_ends_t *ends)
{
    ngx_log_t        *log;
    ngx_listening_t  *ls;

    ls = in->ls;

    c->type = SOCK_STREAM;

    c->pool = ngx_create_pool(ls->pool_size, &in->log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    c->sockaddr = ngx_palloc(c->pool, ends->peer_len);
    if (c->sockaddr == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(c->sockaddr, &ends->peer, ends->peer_len);
    c->socklen = ends->peer_len;

    log = ngx_palloc(c->pool, sizeof(ngx_log_t));
    if (log == NULL) {
        return NGX_ERROR;
    }

    *log = ls->log;

    c->log = log;
    c->pool->log = log;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->listening = ls;

    ngx_peekpass_init_events(in->pl, c);

    c->number = ngx_peekpass_number(in);
    c->start_time = ngx_current_msec;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_handled, 1);
#endif

    if (ls->addr_ntop && ngx_peekpass_set_text(c) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_DEBUG)
    ngx_peekpass_debug(c);
#endif

    if (ngx_add_conn && (ngx_event_flags & NGX_USE_EPOLL_EVENT) == 0) {
        return ngx_add_conn(c);
    }

    return NGX_OK;
}


static void
ngx_peekpass_init_events(ngx_peekpass_listen_t *pl, ngx_connection_t *c)
{
    ngx_event_t  *rev, *wev;

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

    rev->log = c->log;
    wev->log = c->log;
}


/*
 * The first client of a channel gets the channel's number, so that clients
 * are numbered as on TCP as far as that goes.
 */

static ngx_atomic_uint_t
ngx_peekpass_number(ngx_peekpass_intake_t *in)
{
    if (in->number) {
        in->number = 0;
        return in->connection->number;
    }

    return ngx_atomic_fetch_add(ngx_connection_counter, 1);
}


/* the client's address, for logs and variables */

static ngx_int_t
ngx_peekpass_set_text(ngx_connection_t *c)
{
    size_t  len;

    len = c->listening->addr_text_max_len;

    c->addr_text.data = ngx_pnalloc(c->pool, len);
    if (c->addr_text.data == NULL) {
        return NGX_ERROR;
    }

    c->addr_text.len = ngx_sock_ntop(c->sockaddr, c->socklen,
                                     c->addr_text.data, len, 0);

    return c->addr_text.len ? NGX_OK : NGX_ERROR;
}


#if (NGX_DEBUG)

static void
ngx_peekpass_debug(ngx_connection_t *c)
{
    u_char             text[NGX_SOCKADDR_STRLEN];
    ngx_str_t          addr;
    ngx_event_conf_t  *ecf;

    ecf = ngx_event_get_conf(ngx_cycle->conf_ctx, ngx_event_core_module);

    ngx_debug_accepted_connection(ecf, c);

    if (c->log->log_level & NGX_LOG_DEBUG_EVENT) {
        addr.data = text;
        addr.len = ngx_sock_ntop(c->sockaddr, c->socklen, text,
                                 NGX_SOCKADDR_STRLEN, 1);

        ngx_log_debug3(NGX_LOG_DEBUG_EVENT, c->log, 0,
                       "*%uA peekpass: %V fd:%d", c->number, &addr, c->fd);
    }
}

#endif


/*
 * Gives the connection to the handler of http, stream or mail, which may have
 * closed it on return.  On NGX_ERROR it is the caller's, to be closed.
 */

static ngx_int_t
ngx_peekpass_handle(ngx_peekpass_listen_t *pl, ngx_connection_t *c,
    ngx_peekpass_ends_t *ends)
{
    ngx_uint_t          accept_mutex;
    ngx_socket_t        fd;
    struct sockaddr    *local;
    ngx_atomic_uint_t   number;

    local = ngx_palloc(c->pool, ends->local_len);
    if (local == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(local, &ends->local, ends->local_len);

    /*
     * The handler finds its servers by the address family of the listening
     * socket.  The connection's own address follows once it has.
     */

    c->local_sockaddr = c->listening->sockaddr;
    c->local_socklen = c->listening->socklen;

    c->log->data = NULL;
    c->log->handler = NULL;

    fd = c->fd;
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
        c->local_sockaddr = local;
        c->local_socklen = ends->local_len;
    }

    return NGX_OK;
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
