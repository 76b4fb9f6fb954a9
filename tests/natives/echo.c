/* A player in C, for whatever system it was compiled: dials a relay and gives back what it hears.
 *
 *   echo ADDRESS SHA256_HEX     trusts that certificate; with - for it, the system's roots
 *
 * Every frame of natives/down comes back on natives/up/echo with each byte turned over; an empty one ends the program
 * with exit code 0. It prints a line "abi ...", then "up", or "closed REASON" when the relay is not to be had (code 2).
 * All waiting is on the node's descriptor and ends after DEADLINE_US.
 */
#ifdef _WIN32
#define _WIN32_WINNT 0x0601
#include <winsock2.h>
#define poll WSAPoll
#else
#include <poll.h>
#endif
#include <clutchcall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_US 60000000u
enum { LARGEST = 1 << 17 };

#define FAIL(...) (printf("echo.c:%d: ", __LINE__), printf(__VA_ARGS__), putchar('\n'), exit(1))
#define OK(call) good(__LINE__, #call, call)

static void good(int line, const char *call, int32_t status) {
    uint8_t words[512];
    uint32_t len = 0;
    if (status == CC_OK) return;
    if (cc_last_error(words, sizeof words, &len) != CC_OK) len = 0;
    printf("echo.c:%d: %s answered %d: %.*s\n", line, call, (int)status, (int)len, (const char *)words);
    exit(1);
}

static CcStr str(const char *text) {
    CcStr made = {(const uint8_t *)text, (uint32_t)strlen(text), 0};
    return made;
}

static void wait_for(CcHandle node) {
    struct pollfd wake;
    int64_t fd = -1;
    uint64_t now = 0;
    OK(cc_node_wake_fd(node, &fd));
    if (fd < 0) FAIL("the node has no descriptor to wait on");
#ifdef _WIN32
    wake.fd = (SOCKET)fd;
#else
    wake.fd = (int)fd;
#endif
    wake.events = POLLIN;
    if (poll(&wake, 1, 60000) < 0) FAIL("the node's descriptor can't be waited on");
    OK(cc_node_now(node, &now));
    if (now > DEADLINE_US) FAIL("not done in time");
}

int main(int argc, char **argv) {
    static uint8_t reply[LARGEST];
    CcVersion version;
    CcNodeConfig local;
    CcLinkConfig remote;
    CcTrackConfig track;
    CcSubscribeConfig wanted;
    CcHandle node = 0, link = 0, up = 0, down = 0;
    char url[160];
    int done = 0, demanded = 0;

    if (argc != 3) FAIL("arguments: ADDRESS SHA256_HEX");
    setvbuf(stdout, NULL, _IONBF, 0);
    memset(&version, 0, sizeof version);
    version.size = sizeof version;
    OK(cc_version(&version));
    printf("abi %u, %.*s\n", (unsigned)version.abi, (int)version.build.len, (const char *)version.build.ptr);

    memset(&local, 0, sizeof local);
    local.size = sizeof local;
    local.bind = str("127.0.0.1:0");
    OK(cc_node_open(&local, &node));
    memset(&remote, 0, sizeof remote);
    remote.size = sizeof remote;
    snprintf(url, sizeof url, "moqt://%s/", argv[1]);
    remote.url = str(url);
    if (strcmp(argv[2], "-") != 0) remote.trust_sha256 = str(argv[2]);
    OK(cc_link_open(node, &remote, &link));
    memset(&track, 0, sizeof track);
    track.size = sizeof track;
    track.kind = CC_KIND_FRAME_STREAM;
    track.priority = CC_PRIORITY_NORMAL;
    track.ns = str("natives/up");
    track.name = str("echo");
    OK(cc_publish(link, &track, &up));
    memset(&wanted, 0, sizeof wanted);
    wanted.size = sizeof wanted;
    wanted.ns = str("natives/down");
    wanted.priority = CC_PRIORITY_NORMAL;
    OK(cc_subscribe(link, &wanted, &down));

    while (!done) {
        CcEvent events[16];
        uint32_t count = 0;
        CcBatch batch;
        wait_for(node);
        do {
            OK(cc_node_poll(node, events, 16, &count));
            for (uint32_t at = 0; at < count; at++) {
                if (events[at].kind == CC_EVENT_LINK_UP) printf("up\n");
                if (events[at].kind == CC_EVENT_PUBLISH_DEMAND && events[at].handle == up) demanded = events[at].a > 0;
                if (events[at].kind == CC_EVENT_LINK_CLOSED) {
                    printf("closed %u\n", (unsigned)events[at].reason);
                    exit(2);
                }
            }
        } while (count == 16);
        memset(&batch, 0, sizeof batch);
        batch.size = sizeof batch;
        OK(cc_drain(down, &batch));
        for (uint32_t one = 0; one < batch.count; one++) {
            const CcFrame *frame = &batch.frames[one];
            CcSend send;
            uint8_t fate = 0xff;
            if (frame->payload_len == 0) done = 1;
            if (done || frame->payload_len > LARGEST || !demanded) continue;
            for (uint32_t at = 0; at < frame->payload_len; at++)
                reply[at] = (uint8_t)~batch.data[frame->payload_at + at];
            memset(&send, 0, sizeof send);
            send.publication = up;
            send.payload = (uint64_t)(uintptr_t)reply;
            send.payload_len = frame->payload_len;
            send.priority = frame->priority;
            OK(cc_send(&send, 1, &fate));
            if (fate != CC_FATE_QUEUED) FAIL("a reply has fate %d", fate);
        }
    }
    OK(cc_node_close(node));
    return 0;
}
