/* ENet beside the relay: `enet-peer serve`, and `enet-peer play PORT SUBSCRIBERS TRACKS HZ SIZE`.
 *
 * The forms are those of src/main.rs: a server that sends whatever one client sends to all the others, and a
 * publisher with its subscribers, which takes turns as standard input asks for them. Packets are unreliable and
 * unsequenced, which comes nearest to datagrams; ENet does not encrypt. Its throttle, which drops unreliable packets
 * when the round trip varies, is off.
 */
#define _GNU_SOURCE /* ppoll */
#include <enet/enet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1000, MTU = 1200, PATIENCE = 30, READY = 1 };
enum until { THE_TIME, AN_ARRIVAL, A_LINE };

/* How often the connections are served between turns, seconds: ENet pings twice a second. */
static const double REST = 0.1;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void fail(const char *what) {
    fprintf(stderr, "enet-peer: %s\n", what);
    exit(1);
}

static ENetHost *host(const ENetAddress *at, size_t peers) {
    ENetHost *made = enet_host_create(at, peers, 1, 0, 0);
    if (!made) fail("a socket was not to be had");
    made->mtu = MTU;
    enet_socket_set_option(made->socket, ENET_SOCKOPT_RCVBUF, 4 << 20);
    enet_socket_set_option(made->socket, ENET_SOCKOPT_SNDBUF, 4 << 20);
    return made;
}

/* Neither bandwidth nor throttle hold anything back. */
static void open_up(ENetPeer *peer) {
    enet_peer_throttle_configure(peer, 1000, ENET_PEER_PACKET_THROTTLE_SCALE, 0);
}

static int serve(void) {
    ENetAddress at = {0};
    if (enet_address_set_host(&at, "127.0.0.1")) fail("no loopback");
    ENetHost *server = host(&at, MOST + 1);
    ENetAddress bound;
    if (enet_socket_get_address(server->socket, &bound)) fail("the port is not known");
    printf("%u\n", bound.port);
    fflush(stdout);
    for (;;) {
        struct pollfd wait[2] = {{.fd = 0, .events = POLLIN}, {.fd = server->socket, .events = POLLIN}};
        poll(wait, 2, 100);
        char byte;
        if (wait[0].revents && read(0, &byte, 1) <= 0) return 0;
        ENetEvent event;
        while (enet_host_service(server, &event, 0) > 0) {
            do {
                if (event.type == ENET_EVENT_TYPE_CONNECT) open_up(event.peer);
                if (event.type != ENET_EVENT_TYPE_RECEIVE) continue;
                /* The same packet for all: ENet counts who still has it. */
                ENetPacket *packet = event.packet;
                packet->flags |= ENET_PACKET_FLAG_UNSEQUENCED;
                packet->referenceCount++;
                for (size_t i = 0; i < server->peerCount; i++) {
                    ENetPeer *to = &server->peers[i];
                    if (to != event.peer && to->state == ENET_PEER_STATE_CONNECTED) enet_peer_send(to, 0, packet);
                }
                if (!--packet->referenceCount) enet_packet_destroy(packet);
            } while (enet_host_check_events(server, &event) > 0);
        }
        enet_host_flush(server);
    }
}

struct play {
    ENetHost *out, *in;
    ENetPeer *publisher;
    long subscribers, tracks, size;
    double hz;
    long connected;
    uint64_t arrived;
    double last;
};

/* Lets both hosts work for so many seconds, at least once, or until there is what is waited for. Arrivals are counted.
 * Whether there is a line of input, if that is what is waited for. */
static int work(struct play *play, double seconds, enum until until) {
    double end = now() + seconds;
    uint64_t before = play->arrived;
    for (;;) {
        struct pollfd wait[3] = {
            {.fd = play->out->socket, .events = POLLIN},
            {.fd = play->in->socket, .events = POLLIN},
            {.fd = 0, .events = POLLIN},
        };
        double left = end - now();
        if (left < 0) left = 0;
        struct timespec most = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
        ppoll(wait, until == A_LINE ? 3 : 2, &most, NULL);
        ENetEvent event;
        while (enet_host_service(play->out, &event, 0) > 0)
            if (event.type == ENET_EVENT_TYPE_CONNECT) { play->connected++; open_up(event.peer); }
        while (enet_host_service(play->in, &event, 0) > 0) {
            if (event.type == ENET_EVENT_TYPE_CONNECT) { play->connected++; open_up(event.peer); }
            if (event.type == ENET_EVENT_TYPE_RECEIVE) {
                play->arrived++;
                play->last = now();
                *(long *)event.peer->data += 1;
                enet_packet_destroy(event.packet);
            }
        }
        if (wait[2].revents) return 1;
        if (now() >= end || (until == AN_ARRIVAL && play->arrived != before)) return 0;
    }
}

static void tick(struct play *play) {
    static char payload[1400];
    for (long i = 0; i < play->tracks; i++) {
        ENetPacket *packet = enet_packet_create(payload, (size_t)play->size, ENET_PACKET_FLAG_UNSEQUENCED);
        if (!packet || enet_peer_send(play->publisher, 0, packet)) fail("the publisher is not connected");
    }
    enet_host_flush(play->out);
}

static int play(char **words) {
    struct play play = {.subscribers = atol(words[1]), .tracks = atol(words[2]), .hz = atof(words[3]), .size = atol(words[4])};
    if (play.subscribers < 1 || play.subscribers > MOST || play.tracks < 1 || play.tracks > MOST || play.hz <= 0 ||
        play.hz > 1000 || play.size < 1 || play.size > 1100)
        fail("SUBSCRIBERS and TRACKS are 1 to 1,000, HZ to 1,000, SIZE to 1,100");
    ENetAddress server = {.port = (enet_uint16)atoi(words[0])};
    enet_address_set_host(&server, "127.0.0.1");
    play.out = host(NULL, 1);
    play.in = host(NULL, (size_t)play.subscribers);
    static long each[MOST];
    for (long i = 0; i < play.subscribers; i++) {
        ENetPeer *peer = enet_host_connect(play.in, &server, 1, 0);
        if (!peer) fail("no more peers");
        peer->data = &each[i];
    }
    play.publisher = enet_host_connect(play.out, &server, 1, 0);
    double began = now();
    while (play.connected <= play.subscribers) {
        if (now() - began > PATIENCE) fail("not all connected in 30 s");
        work(&play, 0.01, THE_TIME);
    }
    for (long i = 0; i < play.subscribers; i++)
        while (each[i] < READY) {
            if (now() - began > PATIENCE) fail("not every subscriber heard the publisher in 30 s");
            tick(&play);
            work(&play, 0.05, THE_TIME);
        }
    puts("ready");
    fflush(stdout);
    for (;;) {
        /* Between turns the connections are kept alive. */
        if (!work(&play, REST, A_LINE)) continue;
        char line[64];
        size_t length = 0;
        while (length + 1 < sizeof line) {
            if (read(0, &line[length], 1) <= 0) return 0;
            if (line[length++] == '\n') break;
        }
        line[length] = 0;
        double seconds;
        if (sscanf(line, "send %lf", &seconds) == 1) {
            uint64_t before = play.arrived;
            long ticks = (long)(seconds * play.hz);
            double start = now();
            if (ticks < 1) ticks = 1;
            for (long number = 1; number <= ticks; number++) {
                tick(&play);
                work(&play, start + (double)number / play.hz - now(), THE_TIME);
            }
            for (uint64_t last = 0, tries = 0; tries < 20 && last != play.arrived; tries++) {
                last = play.arrived;
                work(&play, 0.05, THE_TIME);
            }
            printf("%ld %llu\n", ticks * play.tracks * play.subscribers, (unsigned long long)(play.arrived - before));
        } else if (!strcmp(line, "frame\n")) {
            uint64_t before = play.arrived;
            double start = now();
            tick(&play);
            work(&play, 1, AN_ARRIVAL);
            if (play.arrived == before) puts("lost");
            else printf("%.3f\n", (play.last - start) * 1e6);
        } else {
            fail("say `send SECONDS` or `frame`");
        }
        fflush(stdout);
    }
}

int main(int count, char **words) {
    if (enet_initialize()) fail("ENet does not start");
    if (count == 2 && !strcmp(words[1], "serve")) return serve();
    if (count == 7 && !strcmp(words[1], "play")) return play(words + 2);
    fail("serve, or play PORT SUBSCRIBERS TRACKS HZ SIZE");
}
