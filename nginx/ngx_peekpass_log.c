
/*
 * Copyright (C) Peekpass authors
 *
 * Complaints: how often, and on behalf of which socket.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


/* a complaint of one kind is logged once in this many seconds */
#define NGX_PEEKPASS_LOG_TIME    60


/* who can send junk can send much of it: not all of it is logged */

ngx_uint_t
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


u_char *
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
