
/*
 * Copyright (C) Peekpass authors
 *
 * Descriptors that become no connection are closed here, and never for long.
 *
 * Anybody who may write to the socket may send a descriptor of a TCP
 * connection with SO_LINGER and unsent data.  The close() that is its last
 * waits for that data, for as long as the sender says, O_NONBLOCK or not.
 * So does what frees a message that nobody has received: close() of a UNIX
 * socket, and recvmsg() that has no room for its descriptors.
 *
 * Clearing SO_LINGER first would not help: the sender may have kept a copy,
 * and set it again.  It would also take the lock of the sender's socket, which
 * a sendmsg() whose memory is slow to come holds.  So the socket is left
 * alone, but a signal ends the wait, as that of any other system call: a timer
 * sends one again and again until all is closed.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>

#include <sys/syscall.h>


/* how long a close may wait, in microseconds */
#define NGX_PEEKPASS_CLOSE_TIME  100

/* how long nothing more is said of what fails, in seconds */
#define NGX_PEEKPASS_COMPLAIN_TIME  10

/* the first ones are often used by libraries */
#define NGX_PEEKPASS_SIGNAL      (SIGRTMIN + 11)

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id   _sigev_un._tid
#endif


static void ngx_peekpass_signal_handler(int signo);
static ngx_int_t ngx_peekpass_init_timer(ngx_log_t *log);
static void ngx_peekpass_set_timer(ngx_log_t *log, long nsec);
static void ngx_peekpass_complain(ngx_log_t *log, ngx_err_t err,
    const char *what);
static ngx_uint_t ngx_peekpass_close_range(int *fds, ngx_uint_t n);


/* timers are not inherited by other processes */
static timer_t    ngx_peekpass_timer;
static ngx_pid_t  ngx_peekpass_timer_pid;

/* who may not hand off could fill the log: once in a while for each process */
static time_t     ngx_peekpass_complained;
static ngx_pid_t  ngx_peekpass_complained_pid;


/* closes descriptors, which may be of anything */

void
ngx_peekpass_close(ngx_peekpass_intake_t *in, int *fds, ngx_uint_t n)
{
    ngx_uint_t  closed;

    ngx_peekpass_begin_close(&in->log);

    while (n) {
        closed = ngx_peekpass_close_range(fds, n);

        fds += closed;
        n -= closed;
    }

    ngx_peekpass_end_close(&in->log);
}


/*
 * Closes the first of n descriptors, and with it those after it that have the
 * numbers after its own: a single system call waits only once.  Returns how
 * many.  Errors are those of other people's files, and of no concern here.
 */

static ngx_uint_t
ngx_peekpass_close_range(int *fds, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 1; i < n && fds[i] == fds[i - 1] + 1; i++) { /* void */ }

#ifdef SYS_close_range

    /* since Linux 5.9 */

    if (i > 1
        && syscall(SYS_close_range, (unsigned int) fds[0],
                   (unsigned int) fds[i - 1], 0)
           == 0)
    {
        return i;
    }

#endif

    (void) close(fds[0]);

    return 1;
}


/* from here on until end_close() no system call of this process waits long */

void
ngx_peekpass_begin_close(ngx_log_t *log)
{
    if (ngx_peekpass_timer_pid != ngx_pid
        && ngx_peekpass_init_timer(log) != NGX_OK)
    {
        return;
    }

    ngx_peekpass_set_timer(log, NGX_PEEKPASS_CLOSE_TIME * 1000);
}


void
ngx_peekpass_end_close(ngx_log_t *log)
{
    if (ngx_peekpass_timer_pid == ngx_pid) {
        ngx_peekpass_set_timer(log, 0);
    }
}


static ngx_int_t
ngx_peekpass_init_timer(ngx_log_t *log)
{
    struct sigevent   ev;
    struct sigaction  sa;

    ngx_memzero(&sa, sizeof(struct sigaction));

    sa.sa_handler = ngx_peekpass_signal_handler;
    sa.sa_flags = SA_RESTART;
    sigemptyset(&sa.sa_mask);

    if (sigaction(NGX_PEEKPASS_SIGNAL, &sa, NULL) == -1) {
        ngx_peekpass_complain(log, ngx_errno, "sigaction() failed, closing "
                              "what is refused may take long");
        return NGX_ERROR;
    }

    /* to the thread that closes: others would not end its wait */

    ngx_memzero(&ev, sizeof(struct sigevent));

    ev.sigev_notify = SIGEV_THREAD_ID;
    ev.sigev_signo = NGX_PEEKPASS_SIGNAL;
    ev.sigev_notify_thread_id = ngx_pid;

    if (timer_create(CLOCK_MONOTONIC, &ev, &ngx_peekpass_timer) == -1) {
        ngx_peekpass_complain(log, ngx_errno, "timer_create() failed, closing "
                              "what is refused may take long");
        return NGX_ERROR;
    }

    ngx_peekpass_timer_pid = ngx_pid;

    return NGX_OK;
}


static void
ngx_peekpass_set_timer(ngx_log_t *log, long nsec)
{
    struct itimerspec  it;

    it.it_value.tv_sec = 0;
    it.it_value.tv_nsec = nsec;
    it.it_interval = it.it_value;

    if (timer_settime(ngx_peekpass_timer, 0, &it, NULL) == -1) {
        ngx_peekpass_complain(log, ngx_errno, "timer_settime() failed");
    }
}


static void
ngx_peekpass_complain(ngx_log_t *log, ngx_err_t err, const char *what)
{
    time_t  now;

    now = ngx_time();

    if (ngx_peekpass_complained_pid == ngx_pid
        && now - ngx_peekpass_complained < NGX_PEEKPASS_COMPLAIN_TIME)
    {
        return;
    }

    ngx_peekpass_complained = now;
    ngx_peekpass_complained_pid = ngx_pid;

    ngx_log_error(NGX_LOG_ALERT, log, err, "peekpass: %s", what);
}


static void
ngx_peekpass_signal_handler(int signo)
{
    /* it is there so that the signal interrupts, and kills nobody */
}
