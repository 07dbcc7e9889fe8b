/* What a sender alone can do: sendto in a loop to a port of loopback that nobody reads. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Return the nanoseconds that so many datagrams took, or -1. */
int64_t send_many(int64_t port, int64_t size, int64_t count) {
    static char data[65536];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timespec began, ended;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || size > (int64_t)sizeof data) return -1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(data, 1, sizeof data);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int64_t i = 0; i < count; i++)
        if (sendto(fd, data, (size_t)size, 0, (struct sockaddr *)&to, sizeof to) != size) {
            close(fd);
            return -1;
        }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    close(fd);
    return (ended.tv_sec - began.tv_sec) * 1000000000LL + ended.tv_nsec - began.tv_nsec;
}
