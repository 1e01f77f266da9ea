/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http_replies.h"

static const struct http_reply_case replies[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", HTTP1_DONE, HTTP1_DONE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", HTTP1_DONE, HTTP1_DONE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", HTTP1_MORE, HTTP1_MORE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok", HTTP1_DONE, HTTP1_DONE, 200, 11,
	 "ok"},
	{"HTTP/1.0 404 Not here\r\n\r\ngone", HTTP1_MORE, HTTP1_DONE, 404, 10, "gone"},
	{"HTTP/1.1 503\n\nbare", HTTP1_MORE, HTTP1_DONE, 503, 11, "bare"},
	{"HTTP/1.1 204 No Content\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 204, 11, ""},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 304, 11, ""},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
	 "1\r\n\r\nx",
	 HTTP1_DONE, HTTP1_DONE, 200, 11, "x"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: "
	 "t\r\n\r\n",
	 HTTP1_DONE, HTTP1_DONE, 200, 11, "hello world"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n2\r\nok\r\n0\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 200, 11,
	 "ok"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: , chunked ,,\r\n\r\n2\r\nok\r\n0\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 200,
	 11, "ok"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: ,\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,x\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	/* chunked takes precedence over a length (RFC 9112 6.3) */
	{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
	 HTTP1_DONE, HTTP1_DONE, 200, 11, "0123456789"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", HTTP1_MORE, HTTP1_MORE, 200, 11,
	 "hello"},
	/* a size of fixed width (RFC 9112 7.1: any number of digits) */
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
	 "chunked\r\n\r\n000000000000000000000002\r\nok\r\n0000000000000000\r\n\r\n",
	 HTTP1_DONE, HTTP1_DONE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\nConten", HTTP1_MORE, HTTP1_MORE, 200, 11, ""},
	{"", HTTP1_MORE, HTTP1_MORE, 0, 0, ""},
	/* a line without a colon is ignored */
	{"HTTP/1.1 200 OK\r\nwhat is this\r\nContent-Length: 1\r\n\r\nx", HTTP1_DONE, HTTP1_DONE, 200, 11, "x"},
	/* a folded line is part of the line before (RFC 9112 5.2), unless it follows the status line (2.2) */
	{"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok", HTTP1_DONE, HTTP1_DONE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 200,
	 11, "ok"},
	{"HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 9\r\nContent-Length: 1\r\n\r\nx", HTTP1_DONE, HTTP1_DONE, 200, 11,
	 "x"},
	{"HTTP/1.1 200 OK\r\n Content-Length: 9\r\nContent-Length: 1\r\n\r\nx", HTTP1_DONE, HTTP1_DONE, 200, 11, "x"},
	{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05hello",
	 HTTP1_DONE, HTTP1_DONE, 101, 11, ""},
	{"HTTP/1.1 200 OK\r\nX:\r\nContent-Length: 0\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 200, 11, ""},
	/* text that is not HTTP/1 */
	{"HTTP/2 200 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 20 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 2000 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 099 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"<html>\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"\r\nHTTP/1.1 200 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, "a"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1111111111111111\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11,
	 ""},
	{"http/1.1 200 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/2.0 200 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
};

const struct http_reply_case *http_reply_cases(size_t *count)
{
	*count = sizeof replies / sizeof replies[0];
	return replies;
}
