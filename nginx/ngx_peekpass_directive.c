
/*
 * Copyright (C) Peekpass authors
 *
 * The directive "peekpass": an ngx_peekpass_listen_t of its parameters.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


/* sets what the text after the "=" says */
typedef char *(*ngx_peekpass_set_pt)(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);


typedef struct {
    ngx_str_t                   name;        /* with the "=" */
    ngx_peekpass_set_pt         set;
} ngx_peekpass_parameter_t;


static char *ngx_peekpass_init_listen(ngx_conf_t *cf,
    ngx_peekpass_listen_t *pl);
static char *ngx_peekpass_address(ngx_conf_t *cf, ngx_peekpass_listen_t *pl);
static char *ngx_peekpass_unique(ngx_conf_t *cf, ngx_peekpass_conf_t *pcf,
    ngx_peekpass_listen_t *pl);
static char *ngx_peekpass_parameter(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *parameter);

static char *ngx_peekpass_method(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);
static char *ngx_peekpass_peer_uid(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);
static char *ngx_peekpass_peer_gid(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);
static char *ngx_peekpass_owner(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);
static char *ngx_peekpass_mode(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);
static char *ngx_peekpass_timeout(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);
static char *ngx_peekpass_batch(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);
static char *ngx_peekpass_unmap_flag(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value);
static char *ngx_peekpass_verify_flag(ngx_conf_t *cf,
    ngx_peekpass_listen_t *pl, ngx_str_t *value);

static char *ngx_peekpass_flag(ngx_conf_t *cf, const char *name,
    ngx_str_t *value, ngx_flag_t *flag);
static char *ngx_peekpass_user(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uid_t *uid);
static char *ngx_peekpass_group(ngx_conf_t *cf, ngx_str_t *name,
    ngx_gid_t *gid);


static ngx_peekpass_parameter_t  ngx_peekpass_parameters[] = {
    { ngx_string("method="), ngx_peekpass_method },
    { ngx_string("peer_uid="), ngx_peekpass_peer_uid },
    { ngx_string("peer_gid="), ngx_peekpass_peer_gid },
    { ngx_string("owner="), ngx_peekpass_owner },
    { ngx_string("mode="), ngx_peekpass_mode },
    { ngx_string("timeout="), ngx_peekpass_timeout },
    { ngx_string("batch="), ngx_peekpass_batch },
    { ngx_string("unmap="), ngx_peekpass_unmap_flag },
    { ngx_string("verify="), ngx_peekpass_verify_flag },
    { ngx_null_string, NULL }
};


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
    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_peekpass_listen_t  *pl;

    pl = ngx_array_push(&pcf->listens);
    if (pl == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_peekpass_init_listen(cf, pl);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_peekpass_address(cf, pl);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_peekpass_unique(cf, pcf, pl);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_peekpass_parameter(cf, pl, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* what is so unless a parameter says otherwise */

static char *
ngx_peekpass_init_listen(ngx_conf_t *cf, ngx_peekpass_listen_t *pl)
{
    ngx_str_t  *value;

    ngx_memzero(pl, sizeof(ngx_peekpass_listen_t));

    value = cf->args->elts;

    pl->name = value[1];
    pl->owner = (ngx_uid_t) NGX_CONF_UNSET_UINT;
    pl->group = (ngx_gid_t) NGX_CONF_UNSET_UINT;
    pl->mode = 0660;
    pl->timeout = 5000;
    pl->batch = 1;
    pl->verify = 1;
    pl->link = NGX_INVALID_FILE;
    pl->file = cf->conf_file->file.name.data;
    pl->line = cf->conf_file->line;

    if (ngx_array_init(&pl->uids, cf->pool, 1, sizeof(ngx_uid_t)) != NGX_OK
        || ngx_array_init(&pl->gids, cf->pool, 1, sizeof(ngx_gid_t)) != NGX_OK)
    {
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
ngx_peekpass_unique(ngx_conf_t *cf, ngx_peekpass_conf_t *pcf,
    ngx_peekpass_listen_t *pl)
{
    ngx_peekpass_listen_t  *other;

    for (other = pcf->listens.elts; other < pl; other++) {

        if (ngx_cmp_sockaddr(other->sockaddr, other->socklen,
                             pl->sockaddr, pl->socklen, 0)
            == NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"peekpass %V\", the first is in "
                               "%s:%ui", &pl->name, other->file, other->line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_peekpass_parameter(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *parameter)
{
    ngx_str_t                  value;
    ngx_peekpass_parameter_t  *known;

    for (known = ngx_peekpass_parameters; known->name.len; known++) {

        if (parameter->len < known->name.len
            || ngx_strncmp(parameter->data, known->name.data, known->name.len)
               != 0)
        {
            continue;
        }

        value.len = parameter->len - known->name.len;
        value.data = parameter->data + known->name.len;

        return known->set(cf, pl, &value);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", the parameters of "
                       "\"peekpass\" are method=, peer_uid=, peer_gid=, "
                       "owner=, mode=, timeout=, batch=, unmap=on|off, "
                       "verify=on|off", parameter);
    return NGX_CONF_ERROR;
}


static char *
ngx_peekpass_method(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value)
{
    ngx_conf_enum_t  *e;

    for (e = ngx_peekpass_methods; e->name.len; e++) {

        if (e->name.len == value->len
            && ngx_strncmp(e->name.data, value->data, value->len) == 0)
        {
            pl->method = e->value;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid method \"%V\", it must be \"persistent\", "
                       "\"once\" or \"datagram\"", value);
    return NGX_CONF_ERROR;
}


static char *
ngx_peekpass_peer_uid(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value)
{
    char       *rv;
    ngx_uid_t  *uid;

    uid = ngx_array_push(&pl->uids);
    if (uid == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_peekpass_user(cf, value, uid);

    if (rv == NGX_CONF_OK && ngx_peekpass_is_nobody(*uid)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"peer_uid=%V\" is the uid that stands for every "
                           "user that has no number here: run the proxy as a "
                           "user of its own, and write that", value);
        return NGX_CONF_ERROR;
    }

    return rv;
}


static char *
ngx_peekpass_peer_gid(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value)
{
    char       *rv;
    ngx_gid_t  *gid;

    gid = ngx_array_push(&pl->gids);
    if (gid == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_peekpass_group(cf, value, gid);

    if (rv == NGX_CONF_OK && ngx_peekpass_is_no_group(*gid)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"peer_gid=%V\" is the gid that stands for every "
                           "group that has no number here: run the proxy in a "
                           "group of its own, and write that", value);
        return NGX_CONF_ERROR;
    }

    return rv;
}


static char *
ngx_peekpass_owner(ngx_conf_t *cf, ngx_peekpass_listen_t *pl, ngx_str_t *value)
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
ngx_peekpass_mode(ngx_conf_t *cf, ngx_peekpass_listen_t *pl, ngx_str_t *value)
{
    mode_t      mode;
    ngx_uint_t  i;

    if (value->len < 3 || value->len > 4) {
        goto invalid;
    }

    mode = 0;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < '0' || value->data[i] > '7') {
            goto invalid;
        }

        mode = mode * 8 + (value->data[i] - '0');
    }

    if (mode & ~0777) {
        goto invalid;
    }

    pl->mode = mode;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"mode=%V\", write an octal mode such as "
                       "\"mode=0660\"", value);
    return NGX_CONF_ERROR;
}


static char *
ngx_peekpass_timeout(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value)
{
    ngx_int_t  timeout;

    timeout = ngx_parse_time(value, 0);

    if (timeout == NGX_ERROR || timeout == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid timeout \"%V\", write a time such as "
                           "\"5s\" or \"500ms\"", value);
        return NGX_CONF_ERROR;
    }

    pl->timeout = (ngx_msec_t) timeout;

    return NGX_CONF_OK;
}


static char *
ngx_peekpass_batch(ngx_conf_t *cf, ngx_peekpass_listen_t *pl, ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > NGX_PEEKPASS_MAX_FDS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"batch=%V\", write a number from 1 to %d",
                           value, NGX_PEEKPASS_MAX_FDS);
        return NGX_CONF_ERROR;
    }

    pl->batch = n;

    return NGX_CONF_OK;
}


static char *
ngx_peekpass_unmap_flag(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value)
{
    return ngx_peekpass_flag(cf, "unmap", value, &pl->unmap);
}


static char *
ngx_peekpass_verify_flag(ngx_conf_t *cf, ngx_peekpass_listen_t *pl,
    ngx_str_t *value)
{
    return ngx_peekpass_flag(cf, "verify", value, &pl->verify);
}


static char *
ngx_peekpass_flag(ngx_conf_t *cf, const char *name, ngx_str_t *value,
    ngx_flag_t *flag)
{
    /* parameters are null-terminated */

    if (ngx_strcmp(value->data, "on") == 0) {
        *flag = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "off") == 0) {
        *flag = 0;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"%s=%V\", write \"%s=on|off\"",
                       name, value, name);
    return NGX_CONF_ERROR;
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
