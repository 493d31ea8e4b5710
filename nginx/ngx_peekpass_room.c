
/*
 * Copyright (C) Peekpass authors
 *
 * Whether there are descriptors left for a message.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>

#include <sys/resource.h>


/*
 * More descriptors than this a worker process does not open in a millisecond:
 * each takes it a request, or a part of one.  So how many it has open needs
 * not be asked again while those that are left last longer.
 */
#define NGX_PEEKPASS_OPENS       100


/* how many descriptors this process may still open */
typedef struct {
    ngx_fd_t                    proc;
    ngx_uint_t                  limit;
    ngx_uint_t                  left;
    ngx_msec_t                  time;
} ngx_peekpass_room_t;


static ngx_uint_t ngx_peekpass_count_room(ngx_socket_t s, ngx_uint_t n);


static ngx_peekpass_room_t  ngx_peekpass_room = { NGX_INVALID_FILE, 0, 0, 0 };


/* in a worker process */

ngx_int_t
ngx_peekpass_init_room(ngx_cycle_t *cycle)
{
    struct rlimit         rlmt;
    ngx_peekpass_room_t  *room;

    room = &ngx_peekpass_room;

    if (getrlimit(RLIMIT_NOFILE, &rlmt) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "peekpass: getrlimit(RLIMIT_NOFILE) failed");
        return NGX_ERROR;
    }

    room->limit = (ngx_uint_t) ngx_min(rlmt.rlim_cur, NGX_MAX_INT32_VALUE);
    room->left = 0;

    if (room->proc == NGX_INVALID_FILE) {
        /* if there is no /proc, has_room() finds another way */
        room->proc = open("/proc/self/fd", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    }

    return NGX_OK;
}


/*
 * Whether n descriptors are left.
 *
 * At the limit of descriptors recvmsg() destroys those that it can not
 * deliver, and their clients are reset, where accept() would leave them in
 * the queue.  So nothing is received unless a message fits for certain.
 */

ngx_int_t
ngx_peekpass_has_room(ngx_peekpass_intake_t *in, ngx_uint_t n)
{
    ngx_msec_t            elapsed;
    ngx_peekpass_room_t  *room;

    room = &ngx_peekpass_room;
    elapsed = ngx_current_msec - room->time;

    if (elapsed >= room->left / NGX_PEEKPASS_OPENS
        || room->left - elapsed * NGX_PEEKPASS_OPENS < n)
    {
        room->left = ngx_peekpass_count_room(in->connection->fd, n);
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


/* whether there may be less room than the largest message wants */

ngx_uint_t
ngx_peekpass_is_tight(void)
{
    ngx_msec_t            elapsed;
    ngx_peekpass_room_t  *room;

    room = &ngx_peekpass_room;
    elapsed = ngx_current_msec - room->time;

    return room->left < NGX_PEEKPASS_MAX_FDS + elapsed * NGX_PEEKPASS_OPENS;
}


/* n descriptors have been received, or accepted */

void
ngx_peekpass_take_room(ngx_uint_t n)
{
    ngx_peekpass_room.left -= ngx_min(n, ngx_peekpass_room.left);
}


/*
 * How many descriptors may be opened, or, by duplicating s, just whether n may:
 * a message's and one more at the most.
 */

static ngx_uint_t
ngx_peekpass_count_room(ngx_socket_t s, ngx_uint_t n)
{
    int                   fds[1 + NGX_PEEKPASS_MAX_FDS];
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
        fds[i] = fcntl(s, F_DUPFD_CLOEXEC, 0);

        if (fds[i] == -1) {
            break;
        }
    }

    for (used = 0; used < i; used++) {
        (void) close(fds[used]);
    }

    return i;
}
