
/*
 * Copyright (C) Peekpass authors
 *
 * Takes connections that a transparent reverse proxy passes over a UNIX
 * socket (sendmsg(), SCM_RIGHTS), and gives them to the "listen" of the same
 * socket as though they had been accepted on a TCP port.
 *
 *   proxy --UNIX socket--> intake --descriptor--> adopt --connection-->
 *                                           the listening socket's own handler
 *
 * An intake is what descriptors come from: a channel, that is a connection to
 * a stream socket (method=once, method=persistent), or a datagram socket that
 * all worker processes read (method=datagram).  The listening stream socket
 * has one as well, which brings channels.
 *
 *   receive   one message, up to 253 descriptors, into the intake
 *   adopt     each of them: verified, wrapped, given to the handler
 *   pause     while worker_connections or descriptors are short: what is not
 *             received waits in the kernel, what is waits in the intake
 *
 * A descriptor is owned by the intake from recvmsg() until it is closed by
 * ngx_peekpass_close() or becomes a connection's.
 *
 *   ngx_peekpass_module.c      the module, and the begin of each cycle
 *   ngx_peekpass_directive.c   "peekpass": a listen of its parameters
 *   ngx_peekpass_listen.c      sockets taken over, stale files, owner and mode
 *   ngx_peekpass_event.c       event handlers: when an intake receives
 *   ngx_peekpass_intake.c      messages received, senders checked
 *   ngx_peekpass_room.c        whether there are descriptors left
 *   ngx_peekpass_close.c       descriptors closed, without waiting
 *   ngx_peekpass_adopt.c       a connection of a descriptor
 *   ngx_peekpass_log.c         complaints
 */


#ifndef _NGX_PEEKPASS_H_INCLUDED_
#define _NGX_PEEKPASS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* SCM_MAX_FD of the kernel: no message carries more */
#define NGX_PEEKPASS_MAX_FDS     253


typedef enum {
    NGX_PEEKPASS_PERSISTENT = 0,
    NGX_PEEKPASS_ONCE,
    NGX_PEEKPASS_DATAGRAM
} ngx_peekpass_method_e;


/* what is complained about */
typedef enum {
    NGX_PEEKPASS_BAD_PEER = 0,
    NGX_PEEKPASS_BAD_DESCRIPTOR,
    NGX_PEEKPASS_NO_DESCRIPTOR,
    NGX_PEEKPASS_TRUNCATED,
    NGX_PEEKPASS_TIMED_OUT,
    NGX_PEEKPASS_NO_CONNECTIONS,
    NGX_PEEKPASS_NO_ROOM,
    NGX_PEEKPASS_COMPLAINTS
} ngx_peekpass_complaint_e;


typedef struct {
    time_t                      time;
    ngx_uint_t                  omitted;
} ngx_peekpass_complaint_t;


/* a directive and the listening socket that it is about */
typedef struct {
    ngx_str_t                   name;        /* unix:/path, as written */
    struct sockaddr            *sockaddr;
    socklen_t                   socklen;
    u_char                     *file;
    ngx_uint_t                  line;

    ngx_peekpass_method_e       method;
    ngx_array_t                 uids;        /* ngx_uid_t */
    ngx_array_t                 gids;        /* ngx_gid_t */
    ngx_uid_t                   owner;
    ngx_gid_t                   group;
    mode_t                      mode;
    ngx_msec_t                  timeout;
    ngx_uint_t                  batch;
    ngx_flag_t                  unmap;
    ngx_flag_t                  verify;

    ngx_connection_handler_pt   handler;     /* of http, stream or mail */
    struct sockaddr            *listening;   /* as in the ngx_listening_t */

    ngx_fd_t                    link;        /* the socket's file, O_PATH */

    /* the listening socket's options, for the passed connections */
    int                         rcvbuf;
    int                         sndbuf;
    int                         keepalive;   /* 0 unset, 1 on, 2 off */
    int                         keepidle;
    int                         keepintvl;
    int                         keepcnt;

    unsigned                    deferred:1;  /* data are there when passed */

    ngx_peekpass_complaint_t    complaints[NGX_PEEKPASS_COMPLAINTS];
} ngx_peekpass_listen_t;


typedef struct {
    ngx_array_t                 listens;     /* ngx_peekpass_listen_t */
} ngx_peekpass_conf_t;


typedef struct {
    ngx_peekpass_listen_t      *pl;
    ngx_listening_t            *ls;
    ngx_connection_t           *connection;  /* the UNIX socket */
    ngx_log_t                   log;

    int                         fds[NGX_PEEKPASS_MAX_FDS];
    ngx_uint_t                  pos;
    ngx_uint_t                  last;
    ngx_int_t                   burst;       /* budget of the next turn */
    ngx_msec_t                  time;        /* of the last turn, or the end */

    ngx_event_t                 retry;
    ngx_connection_t            dumb;        /* the data of retry */

    ngx_uint_t                  omitted;     /* complaints, for the log */

    unsigned                    received:1;  /* has brought a message */
    unsigned                    number:1;    /* the channel's is to be used */
    unsigned                    listening:1; /* not a channel */
    unsigned                    timedout:1;
    unsigned                    draining:1;  /* the worker process ends */
    unsigned                    shut:1;      /* no more can be sent to it */
} ngx_peekpass_intake_t;


/* ngx_peekpass_directive.c */

char *ngx_peekpass_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_peekpass_listen.c */

ngx_peekpass_listen_t *ngx_peekpass_find(ngx_cycle_t *cycle,
    ngx_listening_t *ls);
ngx_int_t ngx_peekpass_take_over(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_listening_t *ls);
void ngx_peekpass_remove_stale(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl);
ngx_int_t ngx_peekpass_begin_generation(ngx_cycle_t *cycle);
ngx_uint_t ngx_peekpass_is_last_generation(void);
ngx_uint_t ngx_peekpass_is_unlinked(ngx_peekpass_listen_t *pl);
ngx_int_t ngx_peekpass_pass_credentials(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_listening_t *ls);
ngx_int_t ngx_peekpass_set_access(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_listening_t *ls);

/* ngx_peekpass_event.c */

ngx_int_t ngx_peekpass_init_listening(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_listening_t *ls);
void ngx_peekpass_init_channel(ngx_connection_t *c);

/* ngx_peekpass_intake.c */

void ngx_peekpass_clear(ngx_peekpass_intake_t *in);
ngx_int_t ngx_peekpass_receive(ngx_peekpass_intake_t *in, ngx_int_t budget);
ngx_int_t ngx_peekpass_pause(ngx_peekpass_intake_t *in);
ngx_int_t ngx_peekpass_has_connections(ngx_peekpass_intake_t *in,
    ngx_uint_t n);
void ngx_peekpass_refuse_peer(ngx_peekpass_intake_t *in, struct ucred *cred,
    const char *what);
void ngx_peekpass_init_allowed(void);
ngx_uint_t ngx_peekpass_is_nobody(ngx_uid_t uid);
ngx_uint_t ngx_peekpass_is_no_group(ngx_gid_t gid);
ngx_int_t ngx_peekpass_allowed(ngx_peekpass_listen_t *pl, struct ucred *cred);

/* ngx_peekpass_room.c */

ngx_int_t ngx_peekpass_init_room(ngx_cycle_t *cycle);
ngx_int_t ngx_peekpass_has_room(ngx_peekpass_intake_t *in, ngx_uint_t n);
ngx_uint_t ngx_peekpass_is_tight(void);
void ngx_peekpass_take_room(ngx_uint_t n);

/* ngx_peekpass_close.c */

void ngx_peekpass_close(ngx_peekpass_intake_t *in, int *fds, ngx_uint_t n);
void ngx_peekpass_begin_close(ngx_log_t *log);
void ngx_peekpass_end_close(ngx_log_t *log);

/* ngx_peekpass_adopt.c */

ngx_int_t ngx_peekpass_adopt(ngx_peekpass_intake_t *in, int fd);

/* ngx_peekpass_log.c */

ngx_uint_t ngx_peekpass_may_complain(ngx_peekpass_intake_t *in,
    ngx_peekpass_complaint_e complaint);
u_char *ngx_peekpass_log_error(ngx_log_t *log, u_char *buf, size_t len);


extern ngx_module_t  ngx_peekpass_module;


#endif /* _NGX_PEEKPASS_H_INCLUDED_ */
