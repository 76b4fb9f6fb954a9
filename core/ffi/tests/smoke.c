/* A C program over the public header alone: a relay and two links of one client in this process.
 *
 *   smoke CERTIFICATE_PEM KEY_PEM SHA256_HEX
 *
 * Frames of every kind that the ABI publishes go from one link over the relay to the other and are compared byte by
 * byte; calls with wrong arguments and stale handles must answer their numbered status. Exit code 0: all held. What
 * fails is one line. All waiting is on the nodes' descriptors and ends after DEADLINE_US; an alarm ends the rest, where
 * there are alarms.
 */
#define _POSIX_C_SOURCE 200809L
#ifdef _WIN32
#define _WIN32_WINNT 0x0601
#include <winsock2.h>
#define poll WSAPoll
#define alarm(seconds) (void)(seconds)
#else
#include <poll.h>
#include <unistd.h>
#endif
#include <clutchcall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACKS = 3, FRAMES = 4, SMALL = 200, FRAGMENTED = 5000, LARGE = 20000, DEADLINE_US = 20000000, ALARM_S = 60 };

#define FAIL(...) (fprintf(stderr, "smoke.c:%d: ", __LINE__), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))
#define HOLDS(what) do { if (!(what)) FAIL("%s does not hold", #what); } while (0)
#define ANSWERS(wanted, call) answers(__LINE__, #call, wanted, call)
#define OK(call) ANSWERS(CC_OK, call)

static void answers(int line, const char *call, int32_t wanted, int32_t status) {
    uint8_t words[512];
    uint32_t len = 0;
    if (status != wanted) {
        if (cc_last_error(words, sizeof words, &len) != CC_OK) len = 0;
        fprintf(stderr, "smoke.c:%d: %s answered %d instead of %d: %.*s\n", line, call, (int)status, (int)wanted,
                (int)len, (const char *)words);
        exit(1);
    }
    if (status == CC_OK) return;
    HOLDS(cc_last_error(words, sizeof words, &len) == CC_OK);
    HOLDS(len > 0);
}

static CcStr str(const char *text) {
    CcStr made = {(const uint8_t *)text, (uint32_t)strlen(text), 0};
    return made;
}

static int same(CcStr text, const char *wanted) {
    return text.len == strlen(wanted) && memcmp(text.ptr, wanted, text.len) == 0;
}

static CcStr file(const char *path) {
    static char texts[2][16384];
    static int used = 0;
    FILE *from = fopen(path, "rb");
    char *text = texts[used++ & 1];
    if (!from) FAIL("%s cannot be opened", path);
    size_t len = fread(text, 1, sizeof texts[0], from);
    fclose(from);
    CcStr made = {(const uint8_t *)text, (uint32_t)len, 0};
    return made;
}

/* What the events of both nodes have told so far. */
struct seen {
    CcHandle publications[TRACKS];
    CcHandle links[2];
    CcHandle subscription;
    uint64_t tracks[TRACKS];
    int up[2], closed, demanded[TRACKS], added, ended, sessions, sessions_down;
};

static const char *const names[TRACKS] = {"moves", "state", "chat"};

static void note(struct seen *seen, const CcEvent *event) {
    for (int at = 0; at < 2; at++) {
        if (event->handle != seen->links[at]) continue;
        if (event->kind == CC_EVENT_LINK_UP) {
            HOLDS(event->text.len > 0);
            HOLDS(event->c >= 18);
            seen->up[at] = 1;
        }
        if (event->kind == CC_EVENT_LINK_DOWN) FAIL("a link was lost: %.*s", (int)event->text.len, event->text.ptr);
    }
    for (int at = 0; at < TRACKS; at++)
        if (event->kind == CC_EVENT_PUBLISH_DEMAND && event->handle == seen->publications[at])
            seen->demanded[at] = event->a > 0;
    switch (event->kind) {
    case CC_EVENT_PUBLISH_REFUSED:
    case CC_EVENT_SUBSCRIBE_REFUSED:
    case CC_EVENT_NODE_FAILED:
        FAIL("event %u: %.*s", (unsigned)event->kind, (int)event->text.len, event->text.ptr);
    case CC_EVENT_TRACK_ADDED:
        HOLDS(event->handle == seen->subscription);
        HOLDS(same(event->text, "games/room1"));
        HOLDS(same(event->text3, CC_CAPABILITY_NETCODE_V1));
        for (int at = 0; at < TRACKS; at++)
            if (same(event->text2, names[at])) seen->tracks[at] = event->a;
        seen->added++;
        break;
    case CC_EVENT_TRACK_ENDED:
        HOLDS(event->reason == CC_REASON_TRACK_ENDED);
        seen->ended++;
        break;
    case CC_EVENT_SESSION_UP: seen->sessions++; break;
    case CC_EVENT_SESSION_DOWN: seen->sessions_down++; break;
    default: break;
    }
}

static CcHandle nodes[2];

static uint64_t now(void) {
    uint64_t at = 0;
    OK(cc_node_now(nodes[0], &at));
    return at;
}

/* Waits until one of the nodes has something to tell, then notes it. */
static void pump(struct seen *seen, uint64_t deadline, const char *waiting) {
    struct pollfd wake[2];
    if (now() > deadline) FAIL("%s did not come in time", waiting);
    for (int at = 0; at < 2; at++) {
        int64_t fd = -1;
        OK(cc_node_wake_fd(nodes[at], &fd));
        HOLDS(fd >= 0);
#ifdef _WIN32
        wake[at].fd = (SOCKET)fd;
#else
        wake[at].fd = (int)fd;
#endif
        wake[at].events = POLLIN;
    }
    HOLDS(poll(wake, 2, 1000) >= 0);
    for (int at = 0; at < 2; at++) {
        CcEvent events[16];
        uint32_t count = 0;
        do {
            OK(cc_node_poll(nodes[at], events, 16, &count));
            for (uint32_t one = 0; one < count; one++) note(seen, &events[one]);
        } while (count == 16);
    }
}

#define UNTIL(what)                                                                                                    \
    do {                                                                                                               \
        uint64_t deadline = now() + DEADLINE_US;                                                                       \
        while (!(what)) pump(&seen, deadline, #what);                                                                  \
    } while (0)

static CcHandle open_link(CcHandle node, const char *address, const char *sha256) {
    char url[128];
    CcLinkConfig config;
    CcHandle link = 0;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    snprintf(url, sizeof url, "moqt://%s/", address);
    config.url = str(url);
    config.addresses = str(address);
    config.trust_sha256 = str(sha256);
    config.url = str("ftp://nowhere");
    ANSWERS(CC_BAD_URL, cc_link_open(node, &config, &link));
    config.url = str(url);
    OK(cc_link_open(node, &config, &link));
    return link;
}

static CcHandle publish(CcHandle link, int track) {
    static const uint32_t kinds[TRACKS] = {CC_KIND_FRAME_DATAGRAM, CC_KIND_FRAME_STREAM, CC_KIND_TEXT};
    CcTrackConfig config;
    CcHandle made = 0;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.kind = kinds[track];
    config.priority = CC_PRIORITY_NORMAL;
    config.ns = str("games/room1");
    config.name = str(names[track]);
    config.capability = str(CC_CAPABILITY_NETCODE_V1);
    OK(cc_publish(link, &config, &made));
    CcHandle twice = 0;
    ANSWERS(CC_EXISTS, cc_publish(link, &config, &twice));
    config.kind = 99;
    config.name = str("other");
    ANSWERS(CC_BAD_ARGUMENT, cc_publish(link, &config, &twice));
    HOLDS(twice == 0);
    return made;
}

static uint8_t payloads[FRAMES][LARGE];
static const uint32_t lengths[FRAMES] = {SMALL, FRAGMENTED, LARGE, 11};
static const int track_of[FRAMES] = {0, 0, 1, 2};
static const uint8_t properties[] = {CC_PROPERTY_LOC_TIMESTAMP, 5};

static void send_all(struct seen *seen) {
    CcSend frames[FRAMES];
    uint8_t fates[FRAMES];
    memset(frames, 0, sizeof frames);
    memset(fates, 0xff, sizeof fates);
    for (uint32_t at = 0; at < FRAMES; at++) {
        for (uint32_t byte = 0; byte < lengths[at]; byte++) payloads[at][byte] = (uint8_t)(byte * 7 + byte / 251 + at);
        frames[at].publication = seen->publications[track_of[at]];
        frames[at].payload = (uint64_t)(uintptr_t)payloads[at];
        frames[at].payload_len = lengths[at];
        frames[at].priority = CC_PRIORITY_DEFAULT;
    }
    memcpy(payloads[3], "hello there", 11);
    frames[1].properties = (uint64_t)(uintptr_t)properties;
    frames[1].properties_len = sizeof properties;
    frames[0].priority = 7;
    OK(cc_send(frames, FRAMES, fates));
    for (int at = 0; at < FRAMES; at++)
        if (fates[at] != CC_FATE_QUEUED) FAIL("frame %d has fate %d", at, fates[at]);

    frames[0].payload_len = CC_FRAGMENT_BYTES * CC_MAX_FRAGMENTS + 1;
    frames[0].payload = (uint64_t)(uintptr_t)payloads[2];
    OK(cc_send(frames, 1, fates));
    HOLDS(fates[0] == CC_FATE_TOO_LARGE);
    ANSWERS(CC_BAD_ARGUMENT, cc_send(NULL, 1, fates));
}

/* Notes which of the frames sent this one is, having compared all that was sent. */
static void compare(const struct seen *seen, const CcBatch *batch, const CcFrame *frame, int got[FRAMES]) {
    for (int at = 0; at < FRAMES; at++) {
        if (frame->track != seen->tracks[track_of[at]] || frame->payload_len != lengths[at]) continue;
        HOLDS((uint64_t)frame->payload_at + frame->payload_len <= batch->data_len);
        HOLDS((uint64_t)frame->properties_at + frame->properties_len <= batch->data_len);
        HOLDS(memcmp(batch->data + frame->payload_at, payloads[at], lengths[at]) == 0);
        HOLDS(frame->priority == (at == 0 ? 7 : CC_PRIORITY_NORMAL));
        HOLDS(frame->received_us > 0 && frame->received_us <= now());
        HOLDS(!(frame->flags & CC_FRAME_STREAM) == (at < 2));
        HOLDS(!(frame->flags & CC_FRAME_FRAGMENTED) == (at != 1));
        HOLDS(!(frame->flags & CC_FRAME_TEXT) == (at != 3));
        HOLDS(frame->fragments == (at == 1 ? (FRAGMENTED + 2 + CC_FRAGMENT_BYTES - 1) / CC_FRAGMENT_BYTES : 1));
        if (at == 1) {
            HOLDS(frame->properties_len == sizeof properties);
            HOLDS(memcmp(batch->data + frame->properties_at, properties, sizeof properties) == 0);
        } else HOLDS(frame->properties_len == 0);
        got[at]++;
        return;
    }
    FAIL("a frame of %u bytes on track %llu was never sent", (unsigned)frame->payload_len,
         (unsigned long long)frame->track);
}

static void receive_all(struct seen *seen_at) {
    struct seen seen = *seen_at;
    int got[FRAMES] = {0}, count = 0;
    CcBatch batch;
    memset(&batch, 0, sizeof batch);
    batch.size = sizeof batch;
    uint64_t deadline = now() + DEADLINE_US;
    for (;;) {
        OK(cc_drain(seen.subscription, &batch));
        HOLDS(batch.dropped == 0);
        for (uint32_t one = 0; one < batch.count; one++) compare(&seen, &batch, &batch.frames[one], got);
        count += (int)batch.count;
        if (count >= FRAMES) break;
        char waiting[64];
        snprintf(waiting, sizeof waiting, "a frame of each kind (so far %d %d %d %d)", got[0], got[1], got[2], got[3]);
        pump(&seen, deadline, waiting);
    }
    for (int at = 0; at < FRAMES; at++) HOLDS(got[at] == 1);
    *seen_at = seen;
}

static void check_arguments(void) {
    CcHandle node = 0;
    CcNodeConfig config;
    CcVersion version;
    uint8_t words[256];
    uint32_t len = 0;
    memset(&version, 0, sizeof version);
    version.size = sizeof version;
    OK(cc_version(&version));
    HOLDS(version.abi == CC_ABI_VERSION);
    HOLDS(version.drafts & (1u << 18));
    HOLDS(version.build.len > 0);
    OK(cc_status_text(CC_BAD_HANDLE, words, sizeof words, &len));
    HOLDS(len > 0);
    ANSWERS(CC_BUFFER_TOO_SMALL, cc_status_text(CC_BAD_HANDLE, words, 1, &len));
    HOLDS(len > 1);

    memset(&config, 0, sizeof config);
    ANSWERS(CC_VERSION_MISMATCH, cc_node_open(&config, &node));
    config.size = sizeof config + 8;
    ANSWERS(CC_VERSION_MISMATCH, cc_node_open(&config, &node));
    config.size = sizeof config;
    config.bind = str("127.0.0.1:0");
    ANSWERS(CC_BAD_ARGUMENT, cc_node_open(NULL, &node));
    ANSWERS(CC_BAD_ARGUMENT, cc_node_open(&config, NULL));
    config.bind = str("somewhere");
    ANSWERS(CC_BAD_ARGUMENT, cc_node_open(&config, &node));
    config.bind = str("127.0.0.1:0");
    config.flags = CC_NODE_RELAY | CC_NODE_OPEN;
    ANSWERS(CC_BAD_CERTIFICATE, cc_node_open(&config, &node));
    HOLDS(node == 0);
    ANSWERS(CC_BAD_HANDLE, cc_node_close(0));
    ANSWERS(CC_BAD_HANDLE, cc_node_close(UINT64_MAX));
}

static CcHandle open_node(uint32_t flags, const char *certificate, const char *key) {
    CcNodeConfig config;
    CcHandle node = 0;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.flags = flags;
    config.bind = str("127.0.0.1:0");
    if (certificate) config.certificate_pem = file(certificate);
    if (key) config.key_pem = file(key);
    OK(cc_node_open(&config, &node));
    HOLDS(node != 0);
    return node;
}

static void check_stats(const struct seen *seen) {
    CcTrackStats track;
    CcSubscriptionStats subscription;
    CcLinkStats link;
    CcNodeStats node;
    memset(&track, 0, sizeof track);
    memset(&subscription, 0, sizeof subscription);
    memset(&link, 0, sizeof link);
    memset(&node, 0, sizeof node);
    track.size = sizeof track;
    subscription.size = sizeof subscription;
    link.size = sizeof link;
    node.size = sizeof node;
    OK(cc_track_stats(seen->publications[0], &track));
    HOLDS(track.subscribers == 1);
    HOLDS(track.drops[CC_DROP_TOO_LARGE] == 1);
    OK(cc_subscription_stats(seen->subscription, &subscription));
    HOLDS(subscription.frames == FRAMES);
    HOLDS(subscription.tracks == TRACKS);
    HOLDS(subscription.waiting_frames == 0);
    OK(cc_link_stats(seen->links[1], &link));
    HOLDS(link.state == CC_LINK_STATE_UP);
    HOLDS(link.rtt_us > 0);
    HOLDS(link.draft >= 18);
    OK(cc_node_stats(nodes[0], &node));
    HOLDS(node.sessions == 2);
    HOLDS(node.packets_in > 0 && node.packets_out > 0);
    ANSWERS(CC_BAD_HANDLE, cc_node_stats(seen->links[0], &node));
    track.size = 4;
    ANSWERS(CC_VERSION_MISMATCH, cc_track_stats(seen->publications[0], &track));
}

/* A square wave of 200 Hz through Opus: it comes out as loud as it went in, and a lost packet is made up for. */
static void check_opus(void) {
    enum { RATE = 16000, EACH = RATE / 50, MOST = 5760 };
    static int16_t samples[EACH], heard[MOST];
    uint8_t packet[1500];
    uint32_t len = 0, count = 0;
    CcHandle encoder = 0, decoder = 0;
    CcOpusConfig config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.rate_hz = RATE;
    config.channels = 1;
    OK(cc_opus_encoder(&config, &encoder));
    OK(cc_opus_decoder(RATE, 1, &decoder));
    for (int at = 0; at < EACH; at++) samples[at] = at / 40 % 2 ? 8000 : -8000;
    for (int round = 0; round < 10; round++) {
        OK(cc_opus_encode(encoder, samples, EACH, packet, sizeof packet, &len));
        OK(cc_opus_decode(decoder, packet, len, heard, MOST, &count));
        HOLDS(count == EACH);
    }
    int loud = 0;
    for (int at = 0; at < EACH; at++) loud += abs(heard[at]) > 4000;
    HOLDS(loud > EACH / 2);
    OK(cc_opus_decode(decoder, NULL, 0, heard, MOST, &count));
    HOLDS(count == EACH);
    OK(cc_opus_recover(decoder, packet, len, heard, MOST, &count));
    HOLDS(count == EACH);
    ANSWERS(CC_BAD_ARGUMENT, cc_opus_encode(encoder, samples, EACH - 1, packet, sizeof packet, &len));
    ANSWERS(CC_BUFFER_TOO_SMALL, cc_opus_decode(decoder, packet, len, heard, 1, &count));
    config.rate_hz = 44100;
    ANSWERS(CC_BAD_ARGUMENT, cc_opus_encoder(&config, &encoder));
    OK(cc_opus_close(encoder));
    OK(cc_opus_close(decoder));
    ANSWERS(CC_BAD_HANDLE, cc_opus_close(encoder));
}

int main(int argc, char **argv) {
    struct seen seen;
    uint8_t address[64];
    uint32_t len = 0;
    memset(&seen, 0, sizeof seen);
    alarm(ALARM_S);
    if (argc != 4) FAIL("arguments: CERTIFICATE_PEM KEY_PEM SHA256_HEX");
    check_arguments();
    check_opus();

    nodes[0] = open_node(CC_NODE_RELAY | CC_NODE_OPEN, argv[1], argv[2]);
    nodes[1] = open_node(0, NULL, NULL);
    ANSWERS(CC_BUFFER_TOO_SMALL, cc_node_address(nodes[0], address, 1, &len));
    HOLDS(len > 1);
    OK(cc_node_address(nodes[0], address, sizeof address - 1, &len));
    address[len] = 0;
    uint64_t next = 0;
    ANSWERS(CC_BAD_STATE, cc_node_drive(nodes[0], 0, &next));

    for (int at = 0; at < 2; at++) seen.links[at] = open_link(nodes[1], (const char *)address, argv[3]);
    UNTIL(seen.up[0] && seen.up[1] && seen.sessions == 2);

    CcSubscribeConfig config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.ns = str("games/room1");
    config.capability = str(CC_CAPABILITY_NETCODE_V1);
    config.priority = CC_PRIORITY_NORMAL;
    OK(cc_subscribe(seen.links[1], &config, &seen.subscription));
    for (int at = 0; at < TRACKS; at++) seen.publications[at] = publish(seen.links[0], at);
    UNTIL(seen.added == TRACKS && seen.demanded[0] && seen.demanded[1] && seen.demanded[2]);

    send_all(&seen);
    receive_all(&seen);
    check_stats(&seen);

    ANSWERS(CC_BAD_HANDLE, cc_link_close(seen.publications[0], CC_REASON_LOCAL, str("")));
    for (int at = 0; at < TRACKS; at++) OK(cc_publish_close(seen.publications[at]));
    ANSWERS(CC_BAD_HANDLE, cc_publish_close(seen.publications[0]));
    CcSend stale;
    uint8_t fate = 0xff;
    memset(&stale, 0, sizeof stale);
    stale.publication = seen.publications[0];
    OK(cc_send(&stale, 1, &fate));
    HOLDS(fate == CC_FATE_CLOSED);
    UNTIL(seen.ended == TRACKS);

    OK(cc_subscribe_close(seen.subscription));
    CcBatch batch;
    memset(&batch, 0, sizeof batch);
    batch.size = sizeof batch;
    ANSWERS(CC_BAD_HANDLE, cc_drain(seen.subscription, &batch));
    for (int at = 0; at < 2; at++) OK(cc_link_close(seen.links[at], CC_REASON_LOCAL, str("done")));
    UNTIL(seen.sessions_down == 2);
    ANSWERS(CC_BAD_HANDLE, cc_link_token(seen.links[0], str("late")));

    for (int at = 1; at >= 0; at--) OK(cc_node_close(nodes[at]));
    ANSWERS(CC_BAD_HANDLE, cc_node_close(nodes[0]));
    puts("ok");
    return 0;
}
