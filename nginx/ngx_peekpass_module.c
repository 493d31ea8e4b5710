
/*
 * Copyright (C) Peekpass authors
 *
 * The module: its configuration, and what it does when a cycle begins.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


static void *ngx_peekpass_create_conf(ngx_cycle_t *cycle);
static char *ngx_peekpass_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_peekpass_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_peekpass_init_socket(ngx_cycle_t *cycle,
    ngx_peekpass_listen_t *pl, ngx_listening_t *ls);
static ngx_int_t ngx_peekpass_init_process(ngx_cycle_t *cycle);


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


static void *
ngx_peekpass_create_conf(ngx_cycle_t *cycle)
{
    ngx_peekpass_conf_t  *pcf;

    pcf = ngx_pcalloc(cycle->pool, sizeof(ngx_peekpass_conf_t));
    if (pcf == NULL) {
        return NULL;
    }

    /* for the directive; a worker process may become another user */

    ngx_peekpass_init_allowed();

    if (ngx_array_init(&pcf->listens, cycle->pool, 4,
                       sizeof(ngx_peekpass_listen_t))
        != NGX_OK)
    {
        return NULL;
    }

    return pcf;
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

    if (ngx_peekpass_begin_generation(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        pl = ngx_peekpass_find(cycle, &ls[i]);

        if (pl == NULL
            || ngx_peekpass_init_socket(cycle, pl, &ls[i]) == NGX_OK)
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
ngx_peekpass_init_socket(ngx_cycle_t *cycle, ngx_peekpass_listen_t *pl,
    ngx_listening_t *ls)
{
    if (pl->method == NGX_PEEKPASS_DATAGRAM
        && ngx_peekpass_pass_credentials(cycle, pl, ls) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_peekpass_set_access(cycle, pl, ls);
}


/* in a worker process */

static ngx_int_t
ngx_peekpass_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_listening_t        *ls;
    ngx_peekpass_listen_t  *pl;

    ngx_peekpass_init_allowed();

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        if (ls[i].connection == NULL) {
            continue;
        }

        pl = ngx_peekpass_find(cycle, &ls[i]);

        if (pl == NULL) {
            continue;
        }

        if (ngx_peekpass_init_room(cycle) != NGX_OK
            || ngx_peekpass_init_listening(cycle, pl, &ls[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
