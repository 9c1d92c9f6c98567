/* The floor: the fixed job in C on one thread and epoll, with nothing that a service needs.
 * build: gcc -O2 -Wall -Wextra -o floor floor.c
 * usage: SGE_JWT_TOKEN=... floor PORT API_PORT
 *
 * A session reads its request, borrows a kept-alive API connection (a new one when none is
 * idle), posts, sets both variables in one batch, half-closes, reads to end of file, closes.
 * No limits beyond its buffers, no deadlines, no answer to errors: a session that goes wrong
 * is dropped and the load generator counts it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { LISTENER, SESSION, API };
enum stage { READING, POSTED, LEAVING };

struct end {
    int fd, len;
    enum kind kind;
    enum stage stage;
    struct end *other; /* the API connection of a session, the session of an API connection */
    struct end *next;  /* free list of ends, or list of idle API connections */
    char buf[4096];
};

static struct end *spare, *idle, *graveyard;
static int poller;
static struct sockaddr_in api_address;
static const char *token;

static struct end *open_end(int fd, enum kind kind)
{
    struct end *e = spare;
    if (e)
        spare = e->next;
    else
        e = malloc(sizeof *e);
    e->fd = fd;
    e->len = 0;
    e->kind = kind;
    e->stage = READING;
    e->other = e->next = NULL;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = e};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    return e;
}

/* An end closed while a batch of events is handled may be named again later in that batch:
 * it is reused only after the batch. */
static void close_end(struct end *e)
{
    if (e->fd < 0)
        return;
    close(e->fd);
    e->fd = -1;
    e->next = graveyard;
    graveyard = e;
}

static void bury(void)
{
    while (graveyard) {
        struct end *e = graveyard;
        graveyard = e->next;
        e->next = spare;
        spare = e;
    }
}

static struct end *borrow_api(void)
{
    struct end *e = idle;
    if (e) {
        idle = e->next;
        return e;
    }
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (void *)&api_address, sizeof api_address) < 0)
        return NULL;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return open_end(fd, API);
}

/* The text between `before` and the next `stop` in a NUL-terminated buffer. */
static int between(const char *text, const char *before, char stop, char *out, size_t size)
{
    const char *from = strstr(text, before);
    if (!from)
        return 0;
    from += strlen(before);
    const char *to = strchr(from, stop);
    if (!to || (size_t)(to - from) >= size)
        return 0;
    memcpy(out, from, to - from);
    out[to - from] = 0;
    return 1;
}

static int post(struct end *session)
{
    char unique[64], extension[64], caller[64], body[512], request[1024];
    if (!between(session->buf, "agi_uniqueid: ", '\n', unique, sizeof unique) ||
        !between(session->buf, "agi_extension: ", '\n', extension, sizeof extension) ||
        !between(session->buf, "agi_callerid: ", '\n', caller, sizeof caller))
        return 0;
    struct end *api = borrow_api();
    if (!api)
        return 0;
    api->other = session;
    session->other = api;
    session->stage = POSTED;
    int length = snprintf(body, sizeof body,
        "{\"participants\":[\"SIP/%s\"],\"call_type\":\"audio\","
        "\"metadata\":{\"asterisk_call_id\":\"%s\",\"caller_id\":\"%s\"}}", extension, unique, caller);
    int n = snprintf(request, sizeof request,
        "POST /api/v1/voip/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", token, length, body);
    return send(api->fd, request, n, MSG_NOSIGNAL) == n;
}

static int answer(struct end *session, const char *body)
{
    char id[256], channel[256], batch[1024];
    if (!between(body, "\"id\":\"", '"', id, sizeof id) ||
        !between(body, "\"asterisk_channel_id\":\"", '"', channel, sizeof channel))
        return 0;
    int n = snprintf(batch, sizeof batch,
        "SET VARIABLE SGE_CALL_ID \"%s\"\nSET VARIABLE SGE_CHANNEL_ID \"%s\"\n", id, channel);
    session->stage = LEAVING;
    return send(session->fd, batch, n, MSG_NOSIGNAL) == n && shutdown(session->fd, SHUT_WR) == 0;
}

static void on_session(struct end *session)
{
    session->buf[session->len] = 0;
    if (session->stage == LEAVING)
        session->len = 0; /* replies of the batch: nothing depends on them */
    else if (session->stage == READING && strstr(session->buf, "\n\n") && !post(session))
        close_end(session);
}

static void on_api(struct end *api)
{
    api->buf[api->len] = 0;
    char *head = strstr(api->buf, "\r\n\r\n"), *field = strcasestr(api->buf, "content-length:");
    if (!head || !field || api->len < head + 4 - api->buf + atoi(field + 15))
        return;
    struct end *session = api->other;
    api->other = NULL;
    api->len = 0;
    api->next = idle;
    idle = api;
    if (session) {
        session->other = NULL;
        if (!answer(session, head + 4))
            close_end(session);
    }
}

static void on_data(struct end *e)
{
    if (e->fd < 0)
        return;
    ssize_t n = recv(e->fd, e->buf + e->len, sizeof e->buf - 1 - e->len, MSG_DONTWAIT);
    if (n <= 0) {
        if (e->kind == API) {
            fputs("the API closed a connection\n", stderr);
            exit(1);
        }
        if (e->other)
            e->other->other = NULL;
        close_end(e);
        return;
    }
    e->len += n;
    if (e->kind == API)
        on_api(e);
    else
        on_session(e);
}

static void on_listener(struct end *listener)
{
    int fd;
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        open_end(fd, SESSION);
}

int main(int argc, char **argv)
{
    token = getenv("SGE_JWT_TOKEN");
    if (argc != 3 || !token) {
        fprintf(stderr, "usage: SGE_JWT_TOKEN=... floor PORT API_PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    api_address.sin_family = AF_INET;
    api_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    api_address.sin_port = htons(atoi(argv[2]));
    struct sockaddr_in own = api_address;
    own.sin_port = htons(atoi(argv[1]));
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (void *)&own, sizeof own) || listen(fd, 4096)) {
        perror("listen");
        return 1;
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    open_end(fd, LISTENER);
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct end *e = events[i].data.ptr;
            if (e->kind == LISTENER)
                on_listener(e);
            else
                on_data(e);
        }
        bury();
    }
}
