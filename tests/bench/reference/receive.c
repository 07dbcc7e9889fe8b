/* Drain a socket with recvmmsg and count, nothing else. */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 64
#define STRIDE 65536
#define CONTROL_BYTES 128

typedef int64_t i64;

/* Take what the socket holds until it is empty. counts: datagrams, bytes, calls. `asking`: the sender's address, the
 * receive time and the drop count are asked for with each datagram, as the receiver of libs/multicast does. `data` has
 * BATCH * STRIDE bytes. Returns 0, or -errno. */
i64 drain(int fd, uint8_t *data, i64 asking, i64 *counts) {
    static struct mmsghdr headers[BATCH];
    static struct iovec iovecs[BATCH];
    static struct sockaddr_in names[BATCH];
    static uint64_t control[BATCH][CONTROL_BYTES / 8];
    memset(headers, 0, sizeof headers);
    for (int i = 0; i < BATCH; i++) {
        iovecs[i] = (struct iovec){data + (i64)i * STRIDE, STRIDE};
        headers[i].msg_hdr.msg_iov = iovecs + i;
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    for (;;) {
        for (int i = 0; asking && i < BATCH; i++) {
            headers[i].msg_hdr.msg_name = names + i;
            headers[i].msg_hdr.msg_namelen = sizeof names[i];
            headers[i].msg_hdr.msg_control = control[i];
            headers[i].msg_hdr.msg_controllen = CONTROL_BYTES;
            headers[i].msg_hdr.msg_flags = 0;
        }
        int got = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, 0);
        if (got < 0) return errno == EAGAIN ? 0 : -errno;
        for (int i = 0; i < got; i++) counts[1] += headers[i].msg_len;
        counts[0] += got;
        counts[2] += 1;
        if (got < BATCH) return 0;
    }
}
