
/*
 * Copyright (C) Peekpass authors
 *
 * The sockets of the directives, in the master process: their "listen" taken
 * over, stale files removed, owner and mode set.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


/*
 * The window in a SYN-ACK has 16 bits.  A receive buffer that can not hold what
 * fits in it makes the kernel drop segments that the client may send.
 */
#define NGX_PEEKPASS_RCVBUF      65536

/* more messages than this are not taken from a socket to empty it */
#define NGX_PEEKPASS_QUEUE       65536


static void ngx_peekpass_empty(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_listening_t *ls);
static ngx_int_t ngx_peekpass_keep_link(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_fd_t fd);
static void ngx_peekpass_close_link(void *data);
static ngx_int_t ngx_peekpass_set_file_access(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_fd_t fd, const char *name);


/* of http, if there is http in this nginx; else its address is NULL */
extern void ngx_http_init_connection(ngx_connection_t *c)
    __attribute__((weak));


/* in shared memory, and what it was when this process began */
static ngx_atomic_t       *ngx_peekpass_generation;
static ngx_atomic_uint_t   ngx_peekpass_last_generation;


ngx_peekpass_listen_t *
ngx_peekpass_find(ngx_cycle_t *cycle, ngx_listening_t *ls)
{
    ngx_uint_t              i;
    ngx_peekpass_conf_t    *pcf;
    ngx_peekpass_listen_t  *pl;

    pcf = (ngx_peekpass_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                               ngx_peekpass_module);
    pl = pcf->listens.elts;

    for (i = 0; i < pcf->listens.nelts; i++) {
        if (pl[i].listening == ls->sockaddr) {
            return &pl[i];
        }
    }

    return NULL;
}


/*
 * Puts the module's handler before the one of http, stream or mail, and
 * keeps options that mean the clients' connections for these.
 */

ngx_int_t
ngx_peekpass_take_over(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_listening_t *ls)
{
    if (ls->type != SOCK_STREAM) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"listen %V\" is a \"udp\" one, and \"peekpass %V\" in "
                      "%s:%ui takes TCP connections: remove \"udp\"",
                      &pl->name, &pl->name, pl->file, pl->line);
        return NGX_ERROR;
    }

#if (NGX_HAVE_REUSEPORT)

    if (ls->reuseport) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"listen %V reuseport\" can not be used with "
                      "\"peekpass %V\" in %s:%ui: remove \"reuseport\", and "
                      "use \"method=datagram\" to spread connections over "
                      "worker processes",
                      &pl->name, &pl->name, pl->file, pl->line);
        return NGX_ERROR;
    }

#endif

    pl->handler = ls->handler;
    pl->listening = ls->sockaddr;

    pl->rcvbuf = ls->rcvbuf;
    pl->sndbuf = ls->sndbuf;
    pl->keepalive = ls->keepalive;

    ls->rcvbuf = -1;
    ls->sndbuf = -1;
    ls->keepalive = 0;

    if (pl->rcvbuf != -1 && pl->rcvbuf < NGX_PEEKPASS_RCVBUF) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"rcvbuf=%d\" of \"listen %V\" is less than the window "
                      "that passed clients have been given, using %d",
                      pl->rcvbuf, &pl->name, NGX_PEEKPASS_RCVBUF);

        pl->rcvbuf = NGX_PEEKPASS_RCVBUF;
    }

#if (NGX_HAVE_KEEPALIVE_TUNABLE)
    pl->keepidle = ls->keepidle;
    pl->keepintvl = ls->keepintvl;
    pl->keepcnt = ls->keepcnt;

    ls->keepidle = 0;
    ls->keepintvl = 0;
    ls->keepcnt = 0;
#endif

    /* these belong to the proxy's listener */

#if (NGX_HAVE_DEFERRED_ACCEPT)
    ls->deferred_accept = 0;
#endif

#if (NGX_HAVE_TCP_FASTOPEN)
    ls->fastopen = -1;
#endif

    /* http alone reads at once when it is told that data are there */

    pl->deferred = (ls->handler == ngx_http_init_connection);

    if (pl->method == NGX_PEEKPASS_DATAGRAM) {
        ls->type = SOCK_DGRAM;

    } else {
        ls->handler = ngx_peekpass_init_channel;
    }

    return NGX_OK;
}


/*
 * A master process that was killed leaves its socket behind, and bind() would
 * fail for ever.  A socket that nobody has open refuses connections.
 */

void
ngx_peekpass_remove_stale(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl)
{
    u_char           *name;
    ngx_err_t         err;
    ngx_uint_t        i;
    ngx_socket_t      s;
    ngx_file_info_t   fi;
    ngx_listening_t  *ls;

    /* one of our own, or inherited by a new binary */

    ls = cycle->old_cycle->listening.elts;

    for (i = 0; i < cycle->old_cycle->listening.nelts; i++) {
        if (ngx_cmp_sockaddr(ls[i].sockaddr, ls[i].socklen,
                             pl->sockaddr, pl->socklen, 0)
            == NGX_OK)
        {
            return;
        }
    }

    name = pl->name.data + sizeof("unix:") - 1;

    /* what is no socket refuses connections, too */

    if (ngx_link_info(name, &fi) == NGX_FILE_ERROR || !S_ISSOCK(fi.st_mode)) {
        return;
    }

    s = socket(AF_UNIX,
               (pl->method == NGX_PEEKPASS_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM)
               | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        return;
    }

    err = connect(s, pl->sockaddr, pl->socklen) == -1 ? ngx_socket_errno : 0;

    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                      ngx_close_socket_n " %V failed", &pl->name);
    }

    if (err != NGX_ECONNREFUSED) {
        return;
    }

    if (ngx_delete_file(name) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "peekpass: nobody has %V open, but "
                      ngx_delete_file_n " failed", &pl->name);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                  "peekpass: removed %V, which nobody had open", &pl->name);
}


/*
 * Worker processes learn by this whether others follow them.  The number of
 * the configuration that the master process has made last is in shared
 * memory; ngx_peekpass_last_generation is the number of this process's.
 */

ngx_int_t
ngx_peekpass_begin_generation(ngx_cycle_t *cycle)
{
    void  *shared;

    if (ngx_peekpass_generation == NULL) {

        shared = mmap(NULL, sizeof(ngx_atomic_t), PROT_READ|PROT_WRITE,
                      MAP_ANON|MAP_SHARED, -1, 0);

        if (shared == MAP_FAILED) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "peekpass: mmap() failed");
            return NGX_ERROR;
        }

        ngx_peekpass_generation = shared;
    }

    ngx_peekpass_last_generation = ++*ngx_peekpass_generation;

    return NGX_OK;
}


ngx_uint_t
ngx_peekpass_is_last_generation(void)
{
    return *ngx_peekpass_generation == ngx_peekpass_last_generation;
}


/* whether nobody can find the socket any more: nginx removes its file at last */

ngx_uint_t
ngx_peekpass_is_unlinked(ngx_peekpass_listen_t *pl)
{
    ngx_file_info_t  fi;

    return pl->link != NGX_INVALID_FILE
           && ngx_fd_info(pl->link, &fi) != NGX_FILE_ERROR
           && fi.st_nlink == 0;
}


/*
 * Of a datagram socket: each message says who has sent it.  Those that are
 * there before the socket has the option do not, and would seem to be of the
 * overflow uid: whoever is quick can have sent them.
 */

ngx_int_t
ngx_peekpass_pass_credentials(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_listening_t *ls)
{
    int        on;
    socklen_t  len;

    len = sizeof(int);

    if (getsockopt(ls->fd, SOL_SOCKET, SO_PASSCRED, &on, &len) != -1 && on) {
        /* a reload, or an upgrade */
        return NGX_OK;
    }

    on = 1;

    if (setsockopt(ls->fd, SOL_SOCKET, SO_PASSCRED, (const void *) &on,
                   sizeof(int))
        == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                      "peekpass: setsockopt(SO_PASSCRED) %V failed",
                      &pl->name);
        return NGX_ERROR;
    }

    ngx_peekpass_empty(cycle, pl, ls);

    return NGX_OK;
}


/* no worker process reads the socket yet */

static void
ngx_peekpass_empty(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_listening_t *ls)
{
    u_char         buf[1];
    ngx_uint_t     n;
    struct iovec   iov[1];
    struct msghdr  msg;

    ngx_peekpass_begin_close(cycle->log);

    for (n = 0; n < NGX_PEEKPASS_QUEUE; n++) {
        iov[0].iov_base = buf;
        iov[0].iov_len = sizeof(buf);

        ngx_memzero(&msg, sizeof(struct msghdr));

        msg.msg_iov = iov;
        msg.msg_iovlen = 1;

        /* without control data the descriptors are the kernel's to close */

        if (recvmsg(ls->fd, &msg, MSG_DONTWAIT) == -1
            && ngx_socket_errno != NGX_EINTR)
        {
            break;
        }
    }

    ngx_peekpass_end_close(cycle->log);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "peekpass: refused %ui message(s) that were sent to %V "
                      "before it could be seen who had sent them",
                      n, &pl->name);
    }
}


/*
 * Owner, group and mode of the socket's file.  Who may write in its directory
 * may put another file in its place, or a symbolic link to one: so what the
 * name leads to is opened first, and must be a socket.
 */

ngx_int_t
ngx_peekpass_set_access(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_listening_t *ls)
{
    ngx_fd_t     fd;
    ngx_int_t    rc;
    const char  *name;

    name = (char *) ls->addr_text.data + sizeof("unix:") - 1;

    fd = open(name, O_PATH|O_NOFOLLOW|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "peekpass: open(\"%s\") failed", name);
        return NGX_ERROR;
    }

    rc = ngx_peekpass_set_file_access(cycle, pl, fd, name);

    if (rc == NGX_OK) {
        return ngx_peekpass_keep_link(cycle, pl, fd);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", name);
    }

    return rc;
}


/* takes fd, which is open as long as the configuration is in use */

static ngx_int_t
ngx_peekpass_keep_link(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_fd_t fd)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cycle->pool, 0);

    if (cln == NULL) {
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    pl->link = fd;

    cln->handler = ngx_peekpass_close_link;
    cln->data = pl;

    return NGX_OK;
}


static void
ngx_peekpass_close_link(void *data)
{
    ngx_peekpass_listen_t  *pl = data;

    (void) ngx_close_file(pl->link);

    pl->link = NGX_INVALID_FILE;
}


/* fd is the caller's, opened with O_PATH; name is for the log */

static ngx_int_t
ngx_peekpass_set_file_access(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_fd_t fd, const char *name)
{
    u_char           path[sizeof("/proc/self/fd/") + NGX_INT_T_LEN];
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      ngx_fd_info_n " \"%s\" failed", name);
        return NGX_ERROR;
    }

    if (!S_ISSOCK(fi.st_mode)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "peekpass: \"%s\" is not a socket any more, its owner "
                      "and mode are left alone", name);
        return NGX_ERROR;
    }

    if (pl->owner != (ngx_uid_t) NGX_CONF_UNSET_UINT
        || pl->group != (ngx_gid_t) NGX_CONF_UNSET_UINT)
    {
        if (fchownat(fd, "", pl->owner, pl->group, AT_EMPTY_PATH) == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "peekpass: chown(\"%s\") failed, only root may "
                          "choose any owner", name);
            return NGX_ERROR;
        }
    }

    /* after the owner: chown() may clear bits; fchmod() takes no O_PATH */

    ngx_sprintf(path, "/proc/self/fd/%d%Z", fd);

    if (chmod((char *) path, pl->mode) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "peekpass: chmod(\"%s\", %04o) through %s failed", name,
                      (unsigned int) pl->mode, path);
        return NGX_ERROR;
    }

    return NGX_OK;
}
