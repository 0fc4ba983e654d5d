/* What is the least that a server can do with a message? Takes mail over SMTP, counts it and throws it away.
 *
 *     fast_sink PORT [--delay MS] [--log FILE] [--host ADDRESS]
 *
 * One thread, epoll, PIPELINING and 8BITMIME. --delay holds every reply back that long after its command arrived, as a
 * distant server's would be (commands that arrive together are answered together). --log appends the recipient of every
 * message before that is answered. On SIGTERM it prints one line of JSON: messages, bytes, and the seconds from the
 * first MAIL to the last final dot. Port 0 takes a free one; "listening PORT" is printed when it is ready.
 *
 * A message ends with CR LF dot CR LF and nothing else (RFC 5321 4.1.1.4), wherever that is cut by the network.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT = 1 << 18, LINE = 2048, OUTPUT = 1 << 14 };

struct client {
    int fd, in_body, recipients, has_sender, closing, dead;
    char line[LINE];
    size_t line_length;
    char tail[4]; /* the last bytes of the message so far */
    char recipient[512];
    char out[OUTPUT]; /* replies on their way */
    size_t out_length;
    int waiting; /* batches of replies that are held back */
};

struct batch { /* replies held back until a moment */
    double due;
    struct client *client;
    char *text;
    size_t length;
    struct batch *next;
};

static struct batch *first_batch, *last_batch;
static unsigned long long messages, bytes;
static double first_mail, last_dot, delay;
static int poll_fd, log_fd = -1;
static volatile sig_atomic_t stopping;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void stop(int number) {
    (void)number;
    stopping = 1;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void say(struct client *c, const char *text) {
    size_t length = strlen(text);
    if (c->out_length + length > OUTPUT) { /* more commands at once than anybody has a use for */
        c->dead = 1;
        return;
    }
    memcpy(c->out + c->out_length, text, length);
    c->out_length += length;
}

static void write_out(struct client *c, const char *text, size_t length) {
    /* Replies are short and clients read them: a socket that takes no more of them is given up. */
    if (send(c->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) c->dead = 1;
}

static void flush_replies(struct client *c) {
    if (!c->out_length) return;
    if (delay <= 0) {
        write_out(c, c->out, c->out_length);
    } else {
        struct batch *b = malloc(sizeof *b);
        if (!b || !(b->text = malloc(c->out_length))) fail("malloc");
        memcpy(b->text, c->out, c->out_length);
        b->length = c->out_length;
        b->due = now() + delay;
        b->client = c;
        b->next = NULL;
        if (last_batch) last_batch->next = b;
        else first_batch = b;
        last_batch = b;
        c->waiting++;
    }
    c->out_length = 0;
}

static void take(struct client *c) {
    messages++;
    last_dot = now();
    if (log_fd >= 0) {
        char text[sizeof c->recipient + 1];
        int length = snprintf(text, sizeof text, "%s\n", c->recipient);
        if (write(log_fd, text, length) != length) fail("log");
    }
    c->in_body = c->recipients = c->has_sender = 0;
    say(c, "250 2.0.0 taken\r\n");
}

static void keep_recipient(struct client *c) {
    const char *from = strchr(c->line, '<');
    const char *to = from ? strchr(from, '>') : NULL;
    size_t length = to ? (size_t)(to - from - 1) : 0;
    if (length >= sizeof c->recipient) length = sizeof c->recipient - 1;
    if (length) memcpy(c->recipient, from + 1, length);
    c->recipient[length] = 0;
}

static void obey(struct client *c) {
    const char *l = c->line;
    if (!strncasecmp(l, "MAIL FROM:", 10)) {
        if (first_mail == 0) first_mail = now();
        c->has_sender = 1;
        c->recipients = 0;
        say(c, "250 2.1.0 ok\r\n");
    } else if (!strncasecmp(l, "RCPT TO:", 8)) {
        if (!c->has_sender) {
            say(c, "503 5.5.1 MAIL first\r\n");
            return;
        }
        c->recipients++;
        keep_recipient(c);
        say(c, "250 2.1.5 ok\r\n");
    } else if (!strcasecmp(l, "DATA")) {
        if (!c->recipients) {
            say(c, "503 5.5.1 RCPT first\r\n");
            return;
        }
        c->in_body = 1;
        memcpy(c->tail, "\0\0\r\n", 4); /* a message may consist of the final dot alone */
        say(c, "354 go on\r\n");
    } else if (!strncasecmp(l, "EHLO", 4)) {
        say(c, "250-sink\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
    } else if (!strncasecmp(l, "HELO", 4) || !strcasecmp(l, "NOOP")) {
        say(c, "250 ok\r\n");
    } else if (!strcasecmp(l, "RSET")) {
        c->has_sender = c->recipients = 0;
        say(c, "250 2.0.0 ok\r\n");
    } else if (!strcasecmp(l, "QUIT")) {
        say(c, "221 2.0.0 bye\r\n");
        c->closing = 1;
    } else {
        say(c, "500 5.5.2 unknown\r\n");
    }
}

/* Reads of a message; returns how many bytes belonged to it. */
static size_t read_body(struct client *c, const char *data, size_t length) {
    char seam[8];
    size_t head = length < 4 ? length : 4;
    const char *end;
    memcpy(seam, c->tail, 4);
    memcpy(seam + 4, data, head);
    if ((end = memmem(seam, 4 + head, "\r\n.\r\n", 5))) {
        size_t used = (size_t)(end - seam) + 5 - 4;
        take(c);
        return used;
    }
    if ((end = memmem(data, length, "\r\n.\r\n", 5))) {
        take(c);
        return (size_t)(end - data) + 5;
    }
    memcpy(c->tail, seam + head, 4);
    if (length > 4) memcpy(c->tail, data + length - 4, 4);
    return length;
}

static void read_commands(struct client *c, const char *data, size_t length) {
    while (length && !c->dead) {
        size_t used;
        if (c->in_body) {
            used = read_body(c, data, length);
            bytes += used;
        } else {
            const char *end = memchr(data, '\n', length);
            used = end ? (size_t)(end - data) + 1 : length;
            if (c->line_length + used >= LINE) {
                c->dead = 1;
                return;
            }
            memcpy(c->line + c->line_length, data, used);
            c->line_length += used;
            if (end) {
                while (c->line_length && strchr("\r\n", c->line[c->line_length - 1])) c->line_length--;
                c->line[c->line_length] = 0;
                c->line_length = 0;
                obey(c);
            }
        }
        data += used;
        length -= used;
    }
}

static void bury(struct client *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->dead = 1;
    if (!c->waiting) free(c);
}

static void serve(struct client *c) {
    static char input[INPUT];
    ssize_t got = recv(c->fd, input, sizeof input, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        bury(c);
        return;
    }
    read_commands(c, input, (size_t)got);
    flush_replies(c);
    if (c->dead || (c->closing && !c->waiting)) bury(c);
}

static void welcome(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *c = calloc(1, sizeof *c);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (!c) fail("calloc");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
        say(c, "220 sink ESMTP\r\n");
        flush_replies(c);
    }
}

/* Sends what is due; returns the milliseconds until more is. */
static int send_due(void) {
    while (first_batch) {
        struct batch *b = first_batch;
        double left = b->due - now();
        if (left > 0) return (int)(left * 1000) + 1;
        first_batch = b->next;
        if (!first_batch) last_batch = NULL;
        b->client->waiting--;
        if (b->client->fd >= 0) write_out(b->client, b->text, b->length);
        if (!b->client->waiting && (b->client->dead || b->client->closing)) bury(b->client);
        free(b->text);
        free(b);
    }
    return -1;
}

static int listen_at(const char *host, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t length = sizeof at;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !inet_aton(host, &at.sin_addr)) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) fail("bind");
    if (getsockname(fd, (struct sockaddr *)&at, &length)) fail("getsockname");
    printf("listening %d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int count, char **words) {
    const char *host = "127.0.0.1";
    struct epoll_event events[256], event = {.events = EPOLLIN, .data.ptr = NULL};
    struct sigaction action = {.sa_handler = stop};
    if (count < 2 || count % 2) {
        fprintf(stderr, "usage: fast_sink PORT [--delay MS] [--log FILE] [--host ADDRESS]\n");
        return 2;
    }
    for (int i = 2; i < count; i += 2) {
        if (!strcmp(words[i], "--delay")) delay = atof(words[i + 1]) / 1000;
        else if (!strcmp(words[i], "--host")) host = words[i + 1];
        else if (!strcmp(words[i], "--log")) log_fd = open(words[i + 1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int listener = listen_at(host, atoi(words[1]));
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (poll_fd < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event)) fail("epoll");
    while (!stopping) {
        int ready = epoll_wait(poll_fd, events, 256, send_due());
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr) serve(events[i].data.ptr);
            else welcome(listener);
        }
    }
    printf("{\"messages\": %llu, \"bytes\": %llu, \"seconds\": %.6f}\n", messages, bytes, messages ? last_dot - first_mail : 0.0);
    return 0;
}
