
/*
 * Copyright (C) Peekpass authors
 *
 * The directive "peekpass": an ngx_peekpass_listen_t of its parameters.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


static char *ngx_peekpass_address(ngx_conf_t *cf, ngx_peekpass_listen_t *pl);
static char *ngx_peekpass_user(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uid_t *uid);
static char *ngx_peekpass_group(ngx_conf_t *cf, ngx_str_t *name,
    ngx_gid_t *gid);
static char *ngx_peekpass_owner(ngx_conf_t *cf, ngx_str_t *value,
    ngx_peekpass_listen_t *pl);


static ngx_conf_enum_t  ngx_peekpass_methods[] = {
    { ngx_string("persistent"), NGX_PEEKPASS_PERSISTENT },
    { ngx_string("once"), NGX_PEEKPASS_ONCE },
    { ngx_string("datagram"), NGX_PEEKPASS_DATAGRAM },
    { ngx_null_string, 0 }
};


char *
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
