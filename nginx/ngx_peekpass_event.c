
/*
 * Copyright (C) Peekpass authors
 *
 * When an intake receives: the event handlers of listening stream sockets, of
 * channels and of datagram sockets, and what they do with the event after it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


/* messages and descriptors taken at the most before others have a turn */
#define NGX_PEEKPASS_BUDGET      64

/*
 * When a worker process ends: until it looks again whether its listening
 * sockets end as well, and until it no longer expects that, in milliseconds.
 */
#define NGX_PEEKPASS_END_POLL    10
#define NGX_PEEKPASS_END_TIME    1000


static void ngx_peekpass_init_intake(ngx_peekpass_intake_t *in,
    ngx_peekpass_listen_t *pl, ngx_connection_t *c, ngx_listening_t *ls);
static void ngx_peekpass_retry_handler(ngx_event_t *ev);
static ngx_int_t ngx_peekpass_check_peer(ngx_peekpass_intake_t *in);
static void ngx_peekpass_channel_handler(ngx_event_t *rev);
static void ngx_peekpass_empty_handler(ngx_event_t *wev);
static void ngx_peekpass_drain_channel(ngx_connection_t *c);
static void ngx_peekpass_close_channel(ngx_connection_t *c);
static void ngx_peekpass_accept_handler(ngx_event_t *ev);
static void ngx_peekpass_datagram_handler(ngx_event_t *ev);
static ngx_int_t ngx_peekpass_keep_open(ngx_cycle_t *cycle,
    ngx_peekpass_intake_t *in);
static void ngx_peekpass_end_handler(ngx_event_t *ev);
static void ngx_peekpass_drain_listening(ngx_peekpass_intake_t *in);
static void ngx_peekpass_end_listening(ngx_peekpass_intake_t *in,
    ngx_connection_t *c);
static void ngx_peekpass_suspend(ngx_event_t *ev);
static void ngx_peekpass_resume(ngx_event_t *ev);


/* in a worker process: the intake of a listening socket, and its handler */

ngx_int_t
ngx_peekpass_init_listening(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_listening_t *ls)
{
    ngx_connection_t       *lc;
    ngx_peekpass_intake_t  *in;

    lc = ls->connection;

    in = ngx_palloc(cycle->pool, sizeof(ngx_peekpass_intake_t));
    if (in == NULL) {
        return NGX_ERROR;
    }

    ngx_peekpass_init_intake(in, pl, lc, ls);

    in->listening = 1;

    lc->data = in;
    lc->read->handler = pl->method == NGX_PEEKPASS_DATAGRAM
                        ? ngx_peekpass_datagram_handler
                        : ngx_peekpass_accept_handler;

    return ngx_peekpass_keep_open(cycle, in);
}


static void
ngx_peekpass_init_intake(ngx_peekpass_intake_t *in, ngx_peekpass_listen_t *pl,
    ngx_connection_t *c, ngx_listening_t *ls)
{
    ngx_memzero(in, sizeof(ngx_peekpass_intake_t));

    in->pl = pl;
    in->ls = ls;
    in->connection = c;
    in->burst = 1;

    in->log = *c->log;
    in->log.data = in;
    in->log.handler = ngx_peekpass_log_error;
    in->log.action = NULL;

    in->dumb.data = in;
    in->dumb.fd = (ngx_socket_t) -1;

    in->retry.handler = ngx_peekpass_retry_handler;
    in->retry.data = &in->dumb;
    in->retry.log = &in->log;
}


/* the handler of a listening stream socket: a proxy has connected to it */

void
ngx_peekpass_init_channel(ngx_connection_t *c)
{
    ngx_event_t            *lev;
    ngx_peekpass_listen_t  *pl;
    ngx_peekpass_intake_t  *in;

#if (NGX_STAT_STUB)

    /* clients are counted, not the ways they come */

    (void) ngx_atomic_fetch_add(ngx_stat_accepted, -1);
    (void) ngx_atomic_fetch_add(ngx_stat_handled, -1);
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);

#endif

    pl = ngx_peekpass_find((ngx_cycle_t *) ngx_cycle, c->listening);

    in = pl ? ngx_palloc(c->pool, sizeof(ngx_peekpass_intake_t)) : NULL;

    if (in == NULL) {
        ngx_peekpass_close_channel(c);
        return;
    }

    c->log->connection = c->number;

    ngx_peekpass_init_intake(in, pl, c, c->listening);

    c->data = in;
    c->log = &in->log;
    c->pool->log = &in->log;
    c->read->log = &in->log;
    c->write->log = &in->log;
    c->log_error = NGX_ERROR_INFO;

    if (ngx_peekpass_check_peer(in) != NGX_OK) {
        ngx_peekpass_close_channel(c);
        return;
    }

    c->read->handler = ngx_peekpass_channel_handler;
    c->write->handler = ngx_peekpass_empty_handler;

    in->number = 1;

    ngx_peekpass_take_room(1);

    /* with multi_accept the next would be accepted in the same turn */

    lev = c->listening->connection->read;

    if (lev->available
        && (ngx_peekpass_has_connections(in, 2) != NGX_OK
            || ngx_peekpass_has_room(in, 1 + pl->batch) != NGX_OK))
    {
        lev->available = 0;
    }

    /* ngx_close_idle_connections() is how a worker process says that it ends */
    c->idle = 1;

    if (pl->method == NGX_PEEKPASS_ONCE) {
        ngx_add_timer(c->read, pl->timeout);
    }

    ngx_peekpass_channel_handler(c->read);
}


/* of a channel: its messages all come from who has connected */

static ngx_int_t
ngx_peekpass_check_peer(ngx_peekpass_intake_t *in)
{
    socklen_t               len;
    ngx_uint_t              level;
    struct ucred            cred;
    ngx_peekpass_listen_t  *pl;

    pl = in->pl;
    len = sizeof(struct ucred);

    if (getsockopt(in->connection->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, &in->log, ngx_socket_errno,
                      "peekpass: getsockopt(SO_PEERCRED) failed");
        return NGX_ERROR;
    }

    if (ngx_peekpass_allowed(pl, &cred) != NGX_OK) {
        ngx_peekpass_refuse_peer(in, &cred, "");
        return NGX_DECLINED;
    }

    /* with once there are as many channels as clients */
    level = (pl->method == NGX_PEEKPASS_ONCE) ? NGX_LOG_DEBUG : NGX_LOG_INFO;

    ngx_log_error(level, &in->log, 0,
                  "peekpass: channel from pid %P of uid %ud",
                  cred.pid, (uint32_t) cred.uid);

    return NGX_OK;
}


static void
ngx_peekpass_channel_handler(ngx_event_t *rev)
{
    ngx_connection_t       *c;
    ngx_peekpass_intake_t  *in;

    c = rev->data;
    in = c->data;

    if (rev->timedout) {
        rev->timedout = 0;

        /* what has come meanwhile is taken all the same */
        in->timedout = 1;
    }

    if (c->error) {
        /* worker_shutdown_timeout */
        ngx_peekpass_close_channel(c);
        return;
    }

    if (c->close && !in->draining) {
        ngx_peekpass_drain_channel(c);
        return;
    }

    /*
     * The event is level-triggered, so that a message that comes alone costs
     * one recvmsg(), and not a second that finds nothing.  When more come
     * within a millisecond, twice as many are taken in the next turn.
     */

    switch (ngx_peekpass_receive(in, in->burst)) {

    case NGX_OK:

        if (in->burst > 1 || in->time == ngx_current_msec) {
            in->burst = ngx_min(2 * in->burst, NGX_PEEKPASS_BUDGET);
        }

        in->time = ngx_current_msec;
        break;

    case NGX_AGAIN:

        in->burst = 1;

        if (in->timedout) {

            if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_TIMED_OUT)) {
                ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                              "peekpass: no connection was passed");
            }

            ngx_peekpass_close_channel(c);
            return;
        }

        break;

    case NGX_BUSY:

        if (rev->active
            && ngx_del_event(rev, NGX_READ_EVENT, NGX_DISABLE_EVENT) != NGX_OK)
        {
            ngx_peekpass_close_channel(c);
        }

        return;

    default: /* NGX_DONE, NGX_ERROR */

        ngx_peekpass_close_channel(c);
        return;
    }

    if (in->draining) {
        ngx_add_timer(&in->retry, 0);
    }

    if (!rev->active && ngx_add_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_peekpass_close_channel(c);
    }
}


static void
ngx_peekpass_empty_handler(ngx_event_t *wev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, wev->log, 0, "peekpass empty handler");
}


/*
 * The worker process is going to end.  No more can be sent from here on, and
 * what was is taken, in a turn of the event loop of its own: that sees the
 * sessions begin before it looks for timers left.
 */

static void
ngx_peekpass_drain_channel(ngx_connection_t *c)
{
    ngx_peekpass_intake_t  *in;

    in = c->data;
    in->draining = 1;

    if (shutdown(c->fd, SHUT_RD) == -1) {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "peekpass: shutdown(SHUT_RD) failed");
    }

    ngx_add_timer(&in->retry, 0);
}


static void
ngx_peekpass_close_channel(ngx_connection_t *c)
{
    ngx_log_t              *log;
    ngx_pool_t             *pool;
    ngx_uint_t              unread;
    ngx_peekpass_intake_t  *in;

    in = c->data;

    if (in) {
        ngx_peekpass_clear(in);
    }

    pool = c->pool;

    /* with messages in it, of anybody, but where each brings just one */

    unread = (in == NULL || in->pl->method != NGX_PEEKPASS_ONCE
              || !in->received);
    log = ngx_cycle->log;

    if (unread) {
        ngx_peekpass_begin_close(log);
    }

    ngx_close_connection(c);

    if (unread) {
        ngx_peekpass_end_close(log);
    }

    ngx_destroy_pool(pool);
}


/*
 * The handler of a listening stream socket, before nginx's own: that would
 * close a channel for which there is no connection, with the client in it.
 * One is wanted for the channel and another for its first client, lest all
 * be taken by channels whose clients wait; the same with descriptors.
 */

static void
ngx_peekpass_accept_handler(ngx_event_t *ev)
{
    ngx_connection_t       *lc;
    ngx_peekpass_intake_t  *in;

    lc = ev->data;
    in = lc->data;

    if (ev->timedout) {
        /* after EMFILE, when nginx has disabled all listening sockets */
        ev->timedout = 0;

        if (ngx_enable_accept_events((ngx_cycle_t *) ngx_cycle) != NGX_OK) {
            return;
        }
    }

    if (ngx_peekpass_has_connections(in, 2) != NGX_OK
        || ngx_peekpass_has_room(in, 1 + in->pl->batch) != NGX_OK)
    {
        (void) ngx_peekpass_pause(in);
        ngx_peekpass_suspend(ev);
        return;
    }

    ngx_event_accept(ev);
}


/* the handler of a datagram socket */

static void
ngx_peekpass_datagram_handler(ngx_event_t *ev)
{
    ngx_int_t               budget;
    ngx_event_conf_t       *ecf;
    ngx_connection_t       *lc;
    ngx_peekpass_intake_t  *in;

    lc = ev->data;
    in = lc->data;

    ecf = ngx_event_get_conf(ngx_cycle->conf_ctx, ngx_event_core_module);

    /* as in accept: the next connection may go to another worker process */
    budget = ecf->multi_accept ? NGX_PEEKPASS_BUDGET : 1;

    ev->ready = 0;

    switch (ngx_peekpass_receive(in, budget)) {

    case NGX_BUSY:
        ngx_peekpass_suspend(ev);
        return;

    case NGX_ERROR:
        return;

    default: /* NGX_OK, NGX_AGAIN */
        break;
    }

#if (NGX_HAVE_EPOLLEXCLUSIVE)

    /*
     * With EPOLLEXCLUSIVE mostly the first process in the queue is told.
     * Going to its end now and then gives each its share, as nginx does with
     * its listening sockets.
     */

    if (ngx_use_exclusive_accept
        && (lc->requests++ % 16 == 0 || ngx_accept_disabled > 0))
    {
        if (ngx_del_event(ev, NGX_READ_EVENT, NGX_DISABLE_EVENT) == NGX_OK) {
            ngx_peekpass_resume(ev);
        }
    }

#endif
}


/*
 * nginx closes its listening sockets before a module is told that the worker
 * process ends.  So there is another descriptor of each, of an idle
 * connection, which nginx tells.
 */

static ngx_int_t
ngx_peekpass_keep_open(ngx_cycle_t *cycle, ngx_peekpass_intake_t *in)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = fcntl(in->connection->fd, F_DUPFD_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "peekpass: fcntl(F_DUPFD_CLOEXEC) %V failed",
                      &in->pl->name);
        return NGX_ERROR;
    }

    c = ngx_get_connection(s, cycle->log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NGX_ERROR;
    }

    c->data = in;
    c->log = &in->log;
    c->read->log = &in->log;
    c->write->log = &in->log;
    c->read->handler = ngx_peekpass_end_handler;
    c->write->handler = ngx_peekpass_empty_handler;
    c->idle = 1;

    return NGX_OK;
}


/* the worker process is going to end, or is to end at once */

static void
ngx_peekpass_end_handler(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_peekpass_intake_t  *in;

    c = ev->data;
    in = c->data;

    if (c->error) {
        /* worker_shutdown_timeout */
        ngx_peekpass_end_listening(in, c);
        return;
    }

    if (in->draining) {
        return;
    }

    in->draining = 1;
    in->connection = c;
    in->time = ngx_current_msec;

    ngx_add_timer(&in->retry, 0);
}


/*
 * Of a listening socket whose worker process ends, in a turn of its own.  After
 * a reload or an upgrade others read it.  If it ends, all its readers may, and
 * what is in a datagram socket must be taken.  Then first nothing more can be
 * sent to it: the proxy keeps it.
 *
 * The master process has closed the socket when it removes its file.  So it is
 * here that what nobody has accepted is closed.
 */

static void
ngx_peekpass_drain_listening(ngx_peekpass_intake_t *in)
{
    ngx_connection_t  *c;

    c = in->connection;

    if (!in->shut && ngx_peekpass_is_last_generation()) {

        if (ngx_peekpass_is_unlinked(in->pl)) {

            if (shutdown(c->fd, SHUT_RD) == -1) {
                ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                              "peekpass: shutdown(SHUT_RD) failed");
            }

            in->shut = 1;

        } else if (ngx_current_msec - in->time < NGX_PEEKPASS_END_TIME) {
            ngx_add_timer(&in->retry, NGX_PEEKPASS_END_POLL);
            return;
        }
    }

    if (in->shut && in->pl->method == NGX_PEEKPASS_DATAGRAM) {

        switch (ngx_peekpass_receive(in, NGX_PEEKPASS_BUDGET)) {

        case NGX_OK:
            ngx_add_timer(&in->retry, 0);
            return;

        case NGX_BUSY:
            return;

        default: /* NGX_AGAIN, NGX_ERROR */
            break;
        }
    }

    ngx_peekpass_end_listening(in, c);
}


static void
ngx_peekpass_end_listening(ngx_peekpass_intake_t *in, ngx_connection_t *c)
{
    ngx_peekpass_clear(in);

    ngx_peekpass_begin_close(&in->log);

    ngx_close_connection(c);

    ngx_peekpass_end_close(&in->log);
}


/* a listening socket, level-triggered, is not watched while nothing is taken */

static void
ngx_peekpass_suspend(ngx_event_t *ev)
{
    if (ev->active) {
        (void) ngx_del_event(ev, NGX_READ_EVENT, NGX_DISABLE_EVENT);
    }

    if (ngx_use_accept_mutex) {
        ngx_accept_disabled = 1;
    }
}


static void
ngx_peekpass_resume(ngx_event_t *ev)
{
    if (ev->active) {
        return;
    }

#if (NGX_HAVE_EPOLLEXCLUSIVE)

    if (ngx_use_exclusive_accept) {
        (void) ngx_add_event(ev, NGX_READ_EVENT, NGX_EXCLUSIVE_EVENT);
        return;
    }

#endif

    /* with the mutex the socket is watched again when this process gets it */

    if (!ngx_use_accept_mutex) {
        (void) ngx_add_event(ev, NGX_READ_EVENT, 0);
    }
}


/* a pause is over, or a channel is to be drained */

static void
ngx_peekpass_retry_handler(ngx_event_t *ev)
{
    ngx_connection_t       *dumb;
    ngx_peekpass_intake_t  *in;

    dumb = ev->data;
    in = dumb->data;

    ev->timedout = 0;

    if (!in->listening) {
        ngx_peekpass_channel_handler(in->connection->read);
        return;
    }

    /* of a datagram socket, what has been received and not adopted */

    if (ngx_peekpass_receive(in, 0) == NGX_BUSY) {
        return;
    }

    if (in->draining) {
        ngx_peekpass_drain_listening(in);
        return;
    }

    /* an ending worker process has closed its listening sockets */

    if (in->ls->fd != (ngx_socket_t) -1) {
        ngx_peekpass_resume(in->connection->read);
    }
}
