/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The minimum cost in the benchmark: receives batches of datagrams by recvmmsg(2) and sends each back, padded to a
 * fixed size with QR set, by sendmmsg(2). Whatever a name server costs more than this is its own cost.
 *
 *   echo_floor PORT REPLY_BYTES
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SIZE = 1500 };

static uint8_t buffers[BATCH][SIZE];

int main(int argc, char *argv[])
{
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_in peers[BATCH];
	if (argc != 3)
		return 2;
	size_t reply = (size_t)strtoul(argv[2], NULL, 10);
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = 4 << 20;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	if (fd < 0 || reply > SIZE || bind(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
		perror("echo_floor");
		return 1;
	}
	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			vectors[i] = (struct iovec){buffers[i], SIZE};
			messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
							      .msg_namelen = sizeof peers[i],
							      .msg_iov = &vectors[i],
							      .msg_iovlen = 1};
		}
		int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < count; i++) {
			buffers[i][2] |= 0x80;
			vectors[i].iov_len = reply > messages[i].msg_len ? reply : messages[i].msg_len;
		}
		for (int sent = 0; sent < count;) {
			int n = sendmmsg(fd, messages + sent, (unsigned)(count - sent), 0);
			if (n < 0 && errno != EINTR)
				break;
			sent += n > 0 ? n : 0;
		}
	}
}
