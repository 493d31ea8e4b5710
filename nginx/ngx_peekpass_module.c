
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
 * ngx_peekpass_refuse(), ngx_peekpass_clear() or becomes a connection's.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <sys/resource.h>


/* SCM_MAX_FD of the kernel: no message carries more */
#define NGX_PEEKPASS_MAX_FDS     253

/* messages and descriptors taken at the most before others have a turn */
#define NGX_PEEKPASS_BUDGET      64

/* until it is tried again, while something is short */
#define NGX_PEEKPASS_PAUSE       50

/* a complaint of one kind is logged once in this many seconds */
#define NGX_PEEKPASS_LOG_TIME    60

/*
 * The window in a SYN-ACK has 16 bits.  A receive buffer that can not hold what
 * fits in it makes the kernel drop segments that the client may send.
 */
#define NGX_PEEKPASS_RCVBUF      65536

/*
 * More descriptors than this a worker process does not open in a millisecond:
 * each takes it a request, or a part of one.  So how many it has open needs
 * not be asked again while those that are left last longer.
 */
#define NGX_PEEKPASS_OPENS       100


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
    ngx_msec_t                  time;        /* of the last turn */

    ngx_event_t                 retry;
    ngx_connection_t            dumb;        /* the data of retry */

    ngx_uint_t                  omitted;     /* complaints, for the log */

    unsigned                    received:1;  /* has brought a message */
    unsigned                    number:1;    /* the channel's is to be used */
    unsigned                    listening:1; /* not a channel */
    unsigned                    timedout:1;
    unsigned                    draining:1;  /* the worker process ends */
} ngx_peekpass_intake_t;


/* how many descriptors this process may still open */
typedef struct {
    ngx_fd_t                    proc;
    ngx_uint_t                  limit;
    ngx_uint_t                  left;
    ngx_msec_t                  time;
} ngx_peekpass_room_t;


static void *ngx_peekpass_create_conf(ngx_cycle_t *cycle);
static char *ngx_peekpass_init_conf(ngx_cycle_t *cycle, void *conf);
static char *ngx_peekpass_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_peekpass_address(ngx_conf_t *cf, ngx_peekpass_listen_t *pl);
static char *ngx_peekpass_user(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uid_t *uid);
static char *ngx_peekpass_group(ngx_conf_t *cf, ngx_str_t *name,
    ngx_gid_t *gid);
static char *ngx_peekpass_owner(ngx_conf_t *cf, ngx_str_t *value,
    ngx_peekpass_listen_t *pl);
static ngx_int_t ngx_peekpass_take_over(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_listening_t *ls);
static void ngx_peekpass_remove_stale(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl);
static ngx_int_t ngx_peekpass_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_peekpass_set_access(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_listening_t *ls);
static ngx_int_t ngx_peekpass_init_process(ngx_cycle_t *cycle);
static ngx_peekpass_listen_t *ngx_peekpass_find(ngx_cycle_t *cycle,
    ngx_listening_t *ls);

static void ngx_peekpass_init_channel(ngx_connection_t *c);
static void ngx_peekpass_channel_handler(ngx_event_t *rev);
static void ngx_peekpass_empty_handler(ngx_event_t *wev);
static void ngx_peekpass_close_channel(ngx_connection_t *c);
static void ngx_peekpass_accept_handler(ngx_event_t *ev);
static void ngx_peekpass_datagram_handler(ngx_event_t *ev);
static void ngx_peekpass_suspend(ngx_event_t *ev);
static void ngx_peekpass_resume(ngx_event_t *ev);
static void ngx_peekpass_init_intake(ngx_peekpass_intake_t *in,
    ngx_peekpass_listen_t *pl, ngx_connection_t *c, ngx_listening_t *ls);
static void ngx_peekpass_retry_handler(ngx_event_t *ev);

static ngx_int_t ngx_peekpass_receive(ngx_peekpass_intake_t *in,
    ngx_int_t budget);
static ngx_int_t ngx_peekpass_receive_message(ngx_peekpass_intake_t *in);
static ngx_int_t ngx_peekpass_pause(ngx_peekpass_intake_t *in);
static ngx_int_t ngx_peekpass_has_connections(ngx_peekpass_intake_t *in,
    ngx_uint_t n);
static ngx_int_t ngx_peekpass_has_room(ngx_peekpass_intake_t *in);
static ngx_uint_t ngx_peekpass_count_room(ngx_uint_t n);
static ngx_int_t ngx_peekpass_allowed(ngx_peekpass_listen_t *pl,
    struct ucred *cred);
static ngx_int_t ngx_peekpass_adopt(ngx_peekpass_intake_t *in, int fd);
static void ngx_peekpass_refuse(ngx_peekpass_intake_t *in, int fd,
    ngx_err_t err, const char *why);
static void ngx_peekpass_close_adopted(ngx_connection_t *c);
static void ngx_peekpass_unmap(ngx_sockaddr_t *sa, socklen_t *socklen);
static void ngx_peekpass_set_options(ngx_peekpass_intake_t *in, int fd);
static void ngx_peekpass_set_option(ngx_peekpass_intake_t *in, int fd,
    int level, int option, int value, const char *name);
static void ngx_peekpass_clear(ngx_peekpass_intake_t *in);

static ngx_uint_t ngx_peekpass_may_complain(ngx_peekpass_intake_t *in,
    ngx_peekpass_complaint_e complaint);
static u_char *ngx_peekpass_log_error(ngx_log_t *log, u_char *buf, size_t len);


/* of http, if there is http in this nginx; else its address is NULL */
extern void ngx_http_init_connection(ngx_connection_t *c)
    __attribute__((weak));


static ngx_conf_enum_t  ngx_peekpass_methods[] = {
    { ngx_string("persistent"), NGX_PEEKPASS_PERSISTENT },
    { ngx_string("once"), NGX_PEEKPASS_ONCE },
    { ngx_string("datagram"), NGX_PEEKPASS_DATAGRAM },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_peekpass_commands[] = {

    { ngx_string("peekpass"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_peekpass_directive,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_peekpass_module_ctx = {
    ngx_string("peekpass"),
    ngx_peekpass_create_conf,
    ngx_peekpass_init_conf
};


ngx_module_t  ngx_peekpass_module = {
    NGX_MODULE_V1,
    &ngx_peekpass_module_ctx,              /* module context */
    ngx_peekpass_commands,                 /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_peekpass_init_module,              /* init module */
    ngx_peekpass_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_peekpass_room_t  ngx_peekpass_room = { NGX_INVALID_FILE, 0, 0, 0 };
static ngx_uid_t            ngx_peekpass_uid;


static void *
ngx_peekpass_create_conf(ngx_cycle_t *cycle)
{
    ngx_peekpass_conf_t  *pcf;

    pcf = ngx_pcalloc(cycle->pool, sizeof(ngx_peekpass_conf_t));
    if (pcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&pcf->listens, cycle->pool, 4,
                       sizeof(ngx_peekpass_listen_t))
        != NGX_OK)
    {
        return NULL;
    }

    return pcf;
}


static char *
ngx_peekpass_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_peekpass_conf_t  *pcf = conf;

    char                   *rv;
    ngx_int_t               n;
    ngx_str_t              *value, s;
    ngx_uid_t              *uid;
    ngx_gid_t              *gid;
    ngx_uint_t              i, j;
    ngx_peekpass_listen_t  *pl, *other;

    value = cf->args->elts;

    pl = ngx_array_push(&pcf->listens);
    if (pl == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(pl, sizeof(ngx_peekpass_listen_t));

    pl->name = value[1];
    pl->owner = (ngx_uid_t) NGX_CONF_UNSET_UINT;
    pl->group = (ngx_gid_t) NGX_CONF_UNSET_UINT;
    pl->mode = 0660;
    pl->timeout = 5000;
    pl->batch = 1;
    pl->verify = 1;
    pl->file = cf->conf_file->file.name.data;
    pl->line = cf->conf_file->line;

    if (ngx_array_init(&pl->uids, cf->pool, 1, sizeof(ngx_uid_t)) != NGX_OK
        || ngx_array_init(&pl->gids, cf->pool, 1, sizeof(ngx_gid_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_peekpass_address(cf, pl);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    other = pcf->listens.elts;
    for (i = 0; i < pcf->listens.nelts - 1; i++) {
        if (ngx_cmp_sockaddr(other[i].sockaddr, other[i].socklen,
                             pl->sockaddr, pl->socklen, 0)
            == NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"peekpass %V\", the first is in "
                               "%s:%ui", &pl->name, other[i].file,
                               other[i].line);
            return NGX_CONF_ERROR;
        }
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "method=", 7) == 0) {
            s.len = value[i].len - 7;
            s.data = value[i].data + 7;

            for (j = 0; ngx_peekpass_methods[j].name.len; j++) {
                if (s.len == ngx_peekpass_methods[j].name.len
                    && ngx_strncmp(s.data, ngx_peekpass_methods[j].name.data,
                                   s.len)
                       == 0)
                {
                    pl->method = ngx_peekpass_methods[j].value;
                    break;
                }
            }

            if (ngx_peekpass_methods[j].name.len == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid method \"%V\", it must be "
                                   "\"persistent\", \"once\" or \"datagram\"",
                                   &s);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "peer_uid=", 9) == 0) {
            s.len = value[i].len - 9;
            s.data = value[i].data + 9;

            uid = ngx_array_push(&pl->uids);
            if (uid == NULL) {
                return NGX_CONF_ERROR;
            }

            rv = ngx_peekpass_user(cf, &s, uid);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "peer_gid=", 9) == 0) {
            s.len = value[i].len - 9;
            s.data = value[i].data + 9;

            gid = ngx_array_push(&pl->gids);
            if (gid == NULL) {
                return NGX_CONF_ERROR;
            }

            rv = ngx_peekpass_group(cf, &s, gid);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "owner=", 6) == 0) {
            s.len = value[i].len - 6;
            s.data = value[i].data + 6;

            rv = ngx_peekpass_owner(cf, &s, pl);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "mode=", 5) == 0) {
            pl->mode = 0;

            if (value[i].len < 8 || value[i].len > 9) {
                goto invalid_mode;
            }

            for (j = 5; j < value[i].len; j++) {
                if (value[i].data[j] < '0' || value[i].data[j] > '7') {
                    goto invalid_mode;
                }

                pl->mode = pl->mode * 8 + (value[i].data[j] - '0');
            }

            if (pl->mode & ~0777) {
                goto invalid_mode;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "timeout=", 8) == 0) {
            s.len = value[i].len - 8;
            s.data = value[i].data + 8;

            pl->timeout = ngx_parse_time(&s, 0);

            if (pl->timeout == (ngx_msec_t) NGX_ERROR || pl->timeout == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid timeout \"%V\", write a time such "
                                   "as \"5s\" or \"500ms\"", &s);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "batch=", 6) == 0) {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (n < 1 || n > NGX_PEEKPASS_MAX_FDS) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid \"%V\", write a number from 1 to "
                                   "%d", &value[i], NGX_PEEKPASS_MAX_FDS);
                return NGX_CONF_ERROR;
            }

            pl->batch = n;
            continue;
        }

        if (ngx_strcmp(value[i].data, "unmap=on") == 0) {
            pl->unmap = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "unmap=off") == 0) {
            pl->unmap = 0;
            continue;
        }

        if (ngx_strcmp(value[i].data, "verify=on") == 0) {
            pl->verify = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "verify=off") == 0) {
            pl->verify = 0;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", the parameters of "
                           "\"peekpass\" are method=, peer_uid=, peer_gid=, "
                           "owner=, mode=, timeout=, batch=, unmap=on|off, "
                           "verify=on|off", &value[i]);
        return NGX_CONF_ERROR;

    invalid_mode:

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\", write an octal mode such as "
                           "\"mode=0660\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_peekpass_address(ngx_conf_t *cf, ngx_peekpass_listen_t *pl)
{
    ngx_url_t  u;

    if (ngx_strncasecmp(pl->name.data, (u_char *) "unix:", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a UNIX socket, write "
                           "\"unix:/path\", as in \"listen\"", &pl->name);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = pl->name;
    u.listen = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"peekpass %V\"",
                           u.err ? u.err : "invalid address", &u.url);
        return NGX_CONF_ERROR;
    }

    pl->sockaddr = u.addrs[0].sockaddr;
    pl->socklen = u.addrs[0].socklen;

    return NGX_CONF_OK;
}


static char *
ngx_peekpass_user(ngx_conf_t *cf, ngx_str_t *name, ngx_uid_t *uid)
{
    ngx_int_t       n;
    struct passwd  *pwd;

    n = ngx_atoi(name->data, name->len);

    if (n != NGX_ERROR) {
        *uid = (ngx_uid_t) n;
        return NGX_CONF_OK;
    }

    ngx_set_errno(0);

    /* parameters are null-terminated, and the last in theirs */
    pwd = getpwnam((const char *) name->data);

    if (pwd == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "no user \"%V\", write the name or the number of "
                           "one", name);
        return NGX_CONF_ERROR;
    }

    *uid = pwd->pw_uid;

    return NGX_CONF_OK;
}


static char *
ngx_peekpass_group(ngx_conf_t *cf, ngx_str_t *name, ngx_gid_t *gid)
{
    ngx_int_t      n;
    struct group  *grp;

    n = ngx_atoi(name->data, name->len);

    if (n != NGX_ERROR) {
        *gid = (ngx_gid_t) n;
        return NGX_CONF_OK;
    }

    ngx_set_errno(0);

    grp = getgrnam((const char *) name->data);

    if (grp == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "no group \"%V\", write the name or the number of "
                           "one", name);
        return NGX_CONF_ERROR;
    }

    *gid = grp->gr_gid;

    return NGX_CONF_OK;
}


static char *
ngx_peekpass_owner(ngx_conf_t *cf, ngx_str_t *value, ngx_peekpass_listen_t *pl)
{
    char       *rv;
    u_char     *colon, *last;
    ngx_str_t   user, group;

    last = value->data + value->len;
    colon = ngx_strlchr(value->data, last, ':');

    user.data = value->data;
    user.len = (colon ? colon : last) - value->data;

    if (user.len) {

        if (colon) {
            user.data = ngx_pnalloc(cf->pool, user.len + 1);
            if (user.data == NULL) {
                return NGX_CONF_ERROR;
            }

            ngx_cpystrn(user.data, value->data, user.len + 1);
        }

        rv = ngx_peekpass_user(cf, &user, &pl->owner);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (colon == NULL) {
        return NGX_CONF_OK;
    }

    group.data = colon + 1;
    group.len = last - group.data;

    return ngx_peekpass_group(cf, &group, &pl->group);
}


static char *
ngx_peekpass_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_peekpass_conf_t  *pcf = conf;

    ngx_uint_t              i, n;
    ngx_listening_t        *ls;
    ngx_peekpass_listen_t  *pl;

    pl = pcf->listens.elts;
    ls = cycle->listening.elts;

    for (i = 0; i < pcf->listens.nelts; i++) {

        for (n = 0; n < cycle->listening.nelts; n++) {

            if (ngx_cmp_sockaddr(ls[n].sockaddr, ls[n].socklen,
                                 pl[i].sockaddr, pl[i].socklen, 0)
                != NGX_OK)
            {
                continue;
            }

            if (ngx_peekpass_take_over(cycle, &pl[i], &ls[n]) != NGX_OK) {
                return NGX_CONF_ERROR;
            }
        }

        if (pl[i].handler == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "no \"listen %V\" for \"peekpass %V\" in %s:%ui, "
                          "add one to an http, stream or mail server",
                          &pl[i].name, &pl[i].name, pl[i].file, pl[i].line);
            return NGX_CONF_ERROR;
        }

        if (!ngx_test_config && ngx_process != NGX_PROCESS_SIGNALLER) {
            ngx_peekpass_remove_stale(cycle, &pl[i]);
        }
    }

    return NGX_CONF_OK;
}


/*
 * Puts the module's handler before the one of http, stream or mail, and
 * keeps options that mean the clients' connections for these.
 */

static ngx_int_t
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

static void
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


static ngx_peekpass_listen_t *
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


/* in the master process, once the sockets are bound */

static ngx_int_t
ngx_peekpass_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_listening_t        *ls;
    ngx_peekpass_listen_t  *pl;

    if (ngx_test_config) {
        return NGX_OK;
    }

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        pl = ngx_peekpass_find(cycle, &ls[i]);

        if (pl == NULL || ngx_peekpass_set_access(cycle, pl, &ls[i]) == NGX_OK)
        {
            continue;
        }

        /* a failed reload must not end the master process */

        if (ngx_is_init_cycle(cycle->old_cycle)) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_peekpass_set_access(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_listening_t *ls)
{
    int          on;
    const char  *name;

    name = (char *) ls->addr_text.data + sizeof("unix:") - 1;

    if (pl->method == NGX_PEEKPASS_DATAGRAM) {

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
    }

    if (pl->owner != (ngx_uid_t) NGX_CONF_UNSET_UINT
        || pl->group != (ngx_gid_t) NGX_CONF_UNSET_UINT)
    {
        if (lchown(name, pl->owner, pl->group) == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "peekpass: chown(\"%s\") failed, only root may "
                          "choose any owner", name);
            return NGX_ERROR;
        }
    }

    /* after the owner: chown() may clear bits */

    if (chmod(name, pl->mode) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "peekpass: chmod(\"%s\", %04o) failed", name,
                      (unsigned int) pl->mode);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_peekpass_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    struct rlimit           rlmt;
    ngx_listening_t        *ls;
    ngx_connection_t       *c;
    ngx_peekpass_listen_t  *pl;
    ngx_peekpass_intake_t  *in;

    ngx_peekpass_uid = geteuid();

    if (getrlimit(RLIMIT_NOFILE, &rlmt) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "peekpass: getrlimit(RLIMIT_NOFILE) failed");
        return NGX_ERROR;
    }

    ngx_peekpass_room.limit = (ngx_uint_t) ngx_min(rlmt.rlim_cur,
                                                   NGX_MAX_INT32_VALUE);
    ngx_peekpass_room.left = 0;

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        c = ls[i].connection;

        if (c == NULL) {
            continue;
        }

        pl = ngx_peekpass_find(cycle, &ls[i]);

        if (pl == NULL) {
            continue;
        }

        if (ngx_peekpass_room.proc == NGX_INVALID_FILE) {
            /* if there is no /proc, has_room() finds another way */
            ngx_peekpass_room.proc = open("/proc/self/fd",
                                          O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        }

        in = ngx_palloc(cycle->pool, sizeof(ngx_peekpass_intake_t));
        if (in == NULL) {
            return NGX_ERROR;
        }

        ngx_peekpass_init_intake(in, pl, c, &ls[i]);

        in->listening = 1;

        c->data = in;
        c->read->handler = pl->method == NGX_PEEKPASS_DATAGRAM
                           ? ngx_peekpass_datagram_handler
                           : ngx_peekpass_accept_handler;
    }

    return NGX_OK;
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

static void
ngx_peekpass_init_channel(ngx_connection_t *c)
{
    socklen_t               len;
    ngx_uint_t              level;
    struct ucred            cred;
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

    len = sizeof(struct ucred);

    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "peekpass: getsockopt(SO_PEERCRED) failed");
        ngx_peekpass_close_channel(c);
        return;
    }

    if (ngx_peekpass_allowed(pl, &cred) != NGX_OK) {

        if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_BAD_PEER)) {
            ngx_log_error(NGX_LOG_ERR, c->log, 0,
                          "peekpass: refused pid %P of uid %ud and gid %ud, "
                          "which may not pass connections: if that is the "
                          "proxy, add \"peer_uid=%ud\" to \"peekpass %V\"",
                          cred.pid, (uint32_t) cred.uid, (uint32_t) cred.gid,
                          (uint32_t) cred.uid, &pl->name);
        }

        ngx_peekpass_close_channel(c);
        return;
    }

    /* with once there are as many channels as clients */
    level = (pl->method == NGX_PEEKPASS_ONCE) ? NGX_LOG_DEBUG : NGX_LOG_INFO;

    ngx_log_error(level, c->log, 0, "peekpass: channel from pid %P of uid %ud",
                  cred.pid, (uint32_t) cred.uid);

    c->read->handler = ngx_peekpass_channel_handler;
    c->write->handler = ngx_peekpass_empty_handler;

    in->number = 1;

    /* with multi_accept the next would be accepted in the same turn */

    if (ngx_peekpass_has_connections(in, 2) != NGX_OK) {
        c->listening->connection->read->available = 0;
    }

    /* ngx_close_idle_connections() is how a worker process says that it ends */
    c->idle = 1;

    if (pl->method == NGX_PEEKPASS_ONCE) {
        ngx_add_timer(c->read, pl->timeout);
    }

    ngx_peekpass_channel_handler(c->read);
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

        /*
         * The worker process is going to end.  No more can be sent from here
         * on, and what was is taken, in a turn of the event loop of its own:
         * that sees the sessions begin before it looks for timers left.
         */

        in->draining = 1;

        if (shutdown(c->fd, SHUT_RD) == -1) {
            ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                          "peekpass: shutdown(SHUT_RD) failed");
        }

        ngx_add_timer(&in->retry, 0);
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


static void
ngx_peekpass_close_channel(ngx_connection_t *c)
{
    ngx_pool_t             *pool;
    ngx_peekpass_intake_t  *in;

    in = c->data;

    if (in) {
        ngx_peekpass_clear(in);
    }

    pool = c->pool;

    ngx_close_connection(c);

    ngx_destroy_pool(pool);
}


/*
 * The handler of a listening stream socket, before nginx's own: that would
 * close a channel for which there is no connection, with the client in it.
 * One is wanted for the channel and another for its first client, lest all
 * be taken by channels whose clients wait.
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

    if (ngx_peekpass_has_connections(in, 2) != NGX_OK) {
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

    /* an ending worker process has closed its listening sockets */

    if (in->ls->fd != (ngx_socket_t) -1) {
        ngx_peekpass_resume(in->connection->read);
    }
}


/*
 * Takes connections until there are no more (NGX_AGAIN), the budget is spent
 * (NGX_OK), something is short (NGX_BUSY, retry is set), no more will come
 * (NGX_DONE), or there was an error (NGX_ERROR).
 */

static ngx_int_t
ngx_peekpass_receive(ngx_peekpass_intake_t *in, ngx_int_t budget)
{
    ngx_int_t  rc;

    for ( ;; ) {

        while (in->pos < in->last) {

            if (ngx_peekpass_has_connections(in, 1) != NGX_OK
                || ngx_peekpass_adopt(in, in->fds[in->pos]) == NGX_BUSY)
            {
                return ngx_peekpass_pause(in);
            }

            in->pos++;
            budget--;
        }

        if (in->received && in->pl->method == NGX_PEEKPASS_ONCE) {
            return NGX_DONE;
        }

        if (budget <= 0) {
            return NGX_OK;
        }

        if (ngx_peekpass_has_connections(in, 1) != NGX_OK
            || ngx_peekpass_has_room(in) != NGX_OK)
        {
            return ngx_peekpass_pause(in);
        }

        rc = ngx_peekpass_receive_message(in);

        if (rc != NGX_OK) {
            return rc;
        }

        /* also a message without a descriptor takes time */
        budget -= (in->last == 0);
    }
}


static ngx_int_t
ngx_peekpass_pause(ngx_peekpass_intake_t *in)
{
    if (!in->retry.timer_set) {
        ngx_add_timer(&in->retry, NGX_PEEKPASS_PAUSE);
    }

    return NGX_BUSY;
}


static ngx_int_t
ngx_peekpass_has_connections(ngx_peekpass_intake_t *in, ngx_uint_t n)
{
    if (ngx_cycle->free_connection_n + ngx_cycle->reusable_connections_n
        >= n)
    {
        return NGX_OK;
    }

    if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_NO_CONNECTIONS)) {
        ngx_log_error(NGX_LOG_WARN, &in->log, 0,
                      "peekpass: %ui worker_connections are not enough, "
                      "passed connections wait", ngx_cycle->connection_n);
    }

    return NGX_BUSY;
}


/*
 * At the limit of descriptors recvmsg() destroys those that it can not
 * deliver, and their clients are reset, where accept() would leave them in
 * the queue.  So nothing is received unless a message fits for certain.
 */

static ngx_int_t
ngx_peekpass_has_room(ngx_peekpass_intake_t *in)
{
    ngx_uint_t            n;
    ngx_msec_t            elapsed;
    ngx_peekpass_room_t  *room;

    n = in->pl->batch;
    room = &ngx_peekpass_room;
    elapsed = ngx_current_msec - room->time;

    if (elapsed >= room->left / NGX_PEEKPASS_OPENS
        || room->left - elapsed * NGX_PEEKPASS_OPENS < n)
    {
        room->left = ngx_peekpass_count_room(n);
        room->time = ngx_current_msec;
    }

    if (room->left >= n) {
        return NGX_OK;
    }

    if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_NO_ROOM)) {
        ngx_log_error(NGX_LOG_ALERT, &in->log, NGX_EMFILE,
                      "peekpass: passed connections wait, since no %ui "
                      "descriptor(s) are left of %ui: raise "
                      "worker_rlimit_nofile", n, room->limit);
    }

    return NGX_BUSY;
}


/* how many descriptors may be opened, or just whether n may */

static ngx_uint_t
ngx_peekpass_count_room(ngx_uint_t n)
{
    int                   fds[NGX_PEEKPASS_MAX_FDS];
    ngx_uint_t            i, used;
    ngx_file_info_t       fi;
    ngx_peekpass_room_t  *room;

    room = &ngx_peekpass_room;

    if (room->proc != NGX_INVALID_FILE
        && ngx_fd_info(room->proc, &fi) != NGX_FILE_ERROR
        && ngx_file_size(&fi) > 0)
    {
        /* since Linux 6.2 the size of /proc/PID/fd is their number */

        used = (ngx_uint_t) ngx_file_size(&fi);

        return used < room->limit ? room->limit - used : 0;
    }

    for (i = 0; i < n; i++) {
        fds[i] = fcntl(ngx_cycle->log->file->fd, F_DUPFD_CLOEXEC, 0);

        if (fds[i] == -1) {
            break;
        }
    }

    for (used = 0; used < i; used++) {
        (void) close(fds[used]);
    }

    return i;
}


/*
 * Receives one message into the intake, which holds no descriptors.  On
 * NGX_OK it may still hold none.
 */

static ngx_int_t
ngx_peekpass_receive_message(ngx_peekpass_intake_t *in)
{
    u_char           buf[64];
    size_t           size;
    ssize_t          n;
    ngx_err_t        err;
    ngx_uint_t       level;
    struct iovec     iov[1];
    struct ucred     cred;
    struct msghdr    msg;
    struct cmsghdr  *cmsg;

    union {
        struct cmsghdr  align;
        u_char          space[CMSG_SPACE(sizeof(int) * NGX_PEEKPASS_MAX_FDS)
                              + CMSG_SPACE(sizeof(struct ucred))];
    } control;

    in->pos = 0;
    in->last = 0;

    do {
        iov[0].iov_base = buf;
        iov[0].iov_len = sizeof(buf);

        ngx_memzero(&msg, sizeof(struct msghdr));

        msg.msg_iov = iov;
        msg.msg_iovlen = 1;
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);

        n = recvmsg(in->connection->fd, &msg, MSG_CMSG_CLOEXEC|MSG_DONTWAIT);

        err = (n == -1) ? ngx_socket_errno : 0;

    } while (err == NGX_EINTR);

    if (err == NGX_EAGAIN) {
        return NGX_AGAIN;
    }

    if (err) {
        level = (err == NGX_ECONNRESET) ? NGX_LOG_INFO : NGX_LOG_ALERT;
        ngx_log_error(level, &in->log, err, "peekpass: recvmsg() failed");
        return NGX_ERROR;
    }

    cred.pid = 0;
    cred.uid = (uid_t) -1;
    cred.gid = (gid_t) -1;

    for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {

        if (cmsg->cmsg_level != SOL_SOCKET) {
            continue;
        }

        if (cmsg->cmsg_type == SCM_RIGHTS) {
            /* the kernel makes one control message of all that came */
            size = cmsg->cmsg_len - CMSG_LEN(0);
            in->last = size / sizeof(int);
            ngx_memcpy(in->fds, CMSG_DATA(cmsg), size);

        } else if (cmsg->cmsg_type == SCM_CREDENTIALS) {
            ngx_memcpy(&cred, CMSG_DATA(cmsg), sizeof(struct ucred));
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &in->log, 0,
                   "peekpass recvmsg: %z bytes, %ui descriptors", n, in->last);

    ngx_peekpass_room.left -= ngx_min(in->last, ngx_peekpass_room.left);

    if (in->pl->method == NGX_PEEKPASS_DATAGRAM) {

        if (ngx_peekpass_allowed(in->pl, &cred) != NGX_OK) {

            if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_BAD_PEER)) {
                ngx_log_error(NGX_LOG_ERR, &in->log, 0,
                              "peekpass: refused a message of pid %P, uid %ud "
                              "and gid %ud, which may not pass connections: "
                              "if that is the proxy, add \"peer_uid=%ud\" to "
                              "\"peekpass %V\"",
                              cred.pid, (uint32_t) cred.uid,
                              (uint32_t) cred.gid, (uint32_t) cred.uid,
                              &in->pl->name);
            }

            ngx_peekpass_clear(in);

            return NGX_OK;
        }

    } else if (n == 0 && in->last == 0) {
        return NGX_DONE;
    }

    if (msg.msg_flags & MSG_CTRUNC) {

        if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_TRUNCATED)) {
            ngx_log_error(NGX_LOG_ALERT, &in->log, 0,
                          "peekpass: descriptors of a message were lost "
                          "(MSG_CTRUNC), %ui came: raise "
                          "worker_rlimit_nofile, and set \"batch=\" as the "
                          "proxy's", in->last);
        }

    } else if (in->last == 0) {

        if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_NO_DESCRIPTOR)) {
            ngx_log_error(NGX_LOG_ERR, &in->log, 0,
                          "peekpass: a message without a descriptor, %z bytes",
                          n);
        }
    }

    in->received = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_peekpass_allowed(ngx_peekpass_listen_t *pl, struct ucred *cred)
{
    ngx_uid_t   *uid;
    ngx_gid_t   *gid;
    ngx_uint_t   i;

    if (cred->uid == 0 || cred->uid == ngx_peekpass_uid) {
        return NGX_OK;
    }

    uid = pl->uids.elts;

    for (i = 0; i < pl->uids.nelts; i++) {
        if (uid[i] == cred->uid) {
            return NGX_OK;
        }
    }

    gid = pl->gids.elts;

    for (i = 0; i < pl->gids.nelts; i++) {
        if (gid[i] == cred->gid) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * Makes a connection of a descriptor, as ngx_event_accept() does of what
 * accept() returns.  On NGX_BUSY the descriptor is still the intake's.
 */

static ngx_int_t
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


/* closes what the intake holds, and ends its timer */

static void
ngx_peekpass_clear(ngx_peekpass_intake_t *in)
{
    while (in->pos < in->last) {
        (void) close(in->fds[in->pos++]);
    }

    in->pos = 0;
    in->last = 0;

    if (in->retry.timer_set) {
        ngx_del_timer(&in->retry);
    }
}


/* who can send junk can send much of it: not all of it is logged */

static ngx_uint_t
ngx_peekpass_may_complain(ngx_peekpass_intake_t *in,
    ngx_peekpass_complaint_e complaint)
{
    time_t                     now;
    ngx_peekpass_complaint_t  *pc;

    pc = &in->pl->complaints[complaint];
    now = ngx_time();

    if (pc->time && now - pc->time < NGX_PEEKPASS_LOG_TIME) {
        pc->omitted++;
        return 0;
    }

    in->omitted = pc->omitted;

    pc->time = now;
    pc->omitted = 0;

    return 1;
}


static u_char *
ngx_peekpass_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                 *p;
    ngx_peekpass_intake_t  *in;

    in = log->data;

    p = ngx_snprintf(buf, len, " while receiving connections on %V",
                     &in->pl->name);

    if (in->omitted) {
        len -= p - buf;
        buf = p;

        p = ngx_snprintf(buf, len, ", %ui alike not logged", in->omitted);

        in->omitted = 0;
    }

    return p;
}
