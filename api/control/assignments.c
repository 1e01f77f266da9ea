/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/assignments.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "probes/verdict/assign.h"

enum { HEARTBEAT_MS = 1000 };

/* An agent's line in force. Streams that still send an older line hold a reference to that one. */
struct line {
	char *text;
	size_t len;
	unsigned references;
};

struct agent_entry {
	struct agent_entry *next;
	char *id;
	struct line *line;            /* NULL until the controller has computed it */
	uint32_t items, items_before; /* number of items in the line, and in the one before */
	bool is_removed;              /* its streams must end; the entry is freed with the last of them */
	unsigned streams;
};

struct assignment_stream {
	struct api_stream_source source; /* must be first */
	struct assignment_hub *hub;
	struct assignment_stream *next, *prev;
	struct api_stream *stream;
	struct agent_entry *agent;
	struct line *sending; /* the line that is being sent */
	size_t sending_pos;
	struct line *sent; /* the last line sent completely: not sent again until another is in force */
	struct buf small;  /* hello, confirms and heartbeats that are being sent */
	int64_t sent_ms;
};

struct assignment_hub {
	pthread_mutex_t lock; /* guards everything below */
	char *store_id;
	struct agent_entry *agents;
	struct assignment_stream *streams;
};

static void line_release(struct line *line)
{
	if (line == NULL || --line->references > 0)
		return;
	free(line->text);
	free(line);
}

static struct agent_entry *find(struct assignment_hub *hub, const char *id)
{
	for (struct agent_entry *a = hub->agents; a != NULL; a = a->next)
		if (!a->is_removed && strcmp(a->id, id) == 0)
			return a;
	return NULL;
}

static struct agent_entry *find_or_add(struct assignment_hub *hub, const char *id)
{
	struct agent_entry *a = find(hub, id);
	if (a != NULL)
		return a;
	a = calloc(1, sizeof *a);
	if (a == NULL || (a->id = strdup(id)) == NULL) {
		free(a);
		return NULL;
	}
	a->next = hub->agents;
	hub->agents = a;
	return a;
}

static void agent_free(struct assignment_hub *hub, struct agent_entry *agent)
{
	struct agent_entry **link = &hub->agents;
	while (*link != agent)
		link = &(*link)->next;
	*link = agent->next;
	line_release(agent->line);
	free(agent->id);
	free(agent);
}

struct assignment_hub *assignment_hub_new(const char *store_id)
{
	struct assignment_hub *hub = calloc(1, sizeof *hub);
	if (hub == NULL)
		return NULL;
	hub->store_id = strdup(store_id);
	(void)pthread_mutex_init(&hub->lock, NULL);
	if (hub->store_id == NULL)
		assignment_hub_free(&hub);
	return hub;
}

void assignment_hub_free(struct assignment_hub **hub)
{
	if (*hub == NULL)
		return;
	while ((*hub)->agents != NULL)
		agent_free(*hub, (*hub)->agents);
	(void)pthread_mutex_destroy(&(*hub)->lock);
	free((*hub)->store_id);
	free(*hub);
	*hub = NULL;
}

/* Wake the streams of one agent; the lock is held. */
static void wake(struct assignment_hub *hub, const struct agent_entry *agent)
{
	for (struct assignment_stream *s = hub->streams; s != NULL; s = s->next)
		if (s->agent == agent)
			api_stream_wake(s->stream);
}

enum veer_err assignment_hub_set(struct assignment_hub *hub, const char *agent, char *text, size_t len, uint32_t items)
{
	struct line *line = calloc(1, sizeof *line);
	if (line == NULL) {
		free(text);
		return VEER_ENOMEM;
	}
	*line = (struct line){text, len, 1};
	(void)pthread_mutex_lock(&hub->lock);
	struct agent_entry *a = find_or_add(hub, agent);
	if (a != NULL) {
		bool is_same = a->line != NULL && a->line->len == len && memcmp(a->line->text, text, len) == 0;
		line_release(is_same ? line : a->line);
		if (!is_same) {
			a->line = line;
			a->items_before = a->items;
			a->items = items;
		}
		wake(hub, a);
	} else {
		line_release(line);
	}
	(void)pthread_mutex_unlock(&hub->lock);
	return a != NULL ? VEER_OK : VEER_ENOMEM;
}

bool assignment_hub_items(struct assignment_hub *hub, const char *agent, uint32_t *items)
{
	(void)pthread_mutex_lock(&hub->lock);
	const struct agent_entry *a = find(hub, agent);
	bool is_known = a != NULL && a->line != NULL;
	if (is_known)
		*items = a->items > a->items_before ? a->items : a->items_before;
	(void)pthread_mutex_unlock(&hub->lock);
	return is_known;
}

void assignment_hub_remove(struct assignment_hub *hub, const char *agent)
{
	(void)pthread_mutex_lock(&hub->lock);
	struct agent_entry *a = find(hub, agent);
	if (a != NULL && a->streams == 0) {
		agent_free(hub, a);
	} else if (a != NULL) {
		a->is_removed = true;
		wake(hub, a);
	}
	(void)pthread_mutex_unlock(&hub->lock);
}

void assignment_hub_confirm(struct assignment_hub *hub, const char *agent, const char *line)
{
	(void)pthread_mutex_lock(&hub->lock);
	const struct agent_entry *a = find(hub, agent);
	for (struct assignment_stream *s = hub->streams; a != NULL && s != NULL; s = s->next) {
		if (s->agent != a)
			continue;
		buf_puts(&s->small, line); /* added completely or not at all: a lost confirm only costs time */
		s->small.failed = false;
		api_stream_wake(s->stream);
	}
	(void)pthread_mutex_unlock(&hub->lock);
}

void assignment_hub_tick(struct assignment_hub *hub)
{
	int64_t now = veer_clock_monotonic_ms(veer_clock_system());
	(void)pthread_mutex_lock(&hub->lock);
	for (struct assignment_stream *s = hub->streams; s != NULL; s = s->next)
		if (now - s->sent_ms >= HEARTBEAT_MS)
			api_stream_wake(s->stream);
	(void)pthread_mutex_unlock(&hub->lock);
}

static ssize_t send_small(struct assignment_stream *s, char *out, size_t size)
{
	size_t len = s->small.len < size ? s->small.len : size;
	memcpy(out, s->small.data, len);
	buf_consume(&s->small, len);
	return (ssize_t)len;
}

static ssize_t send_line(struct assignment_stream *s, char *out, size_t size)
{
	size_t left = s->sending->len - s->sending_pos;
	size_t len = left < size ? left : size;
	memcpy(out, s->sending->text + s->sending_pos, len);
	s->sending_pos += len;
	if (len == left) {
		line_release(s->sent);
		s->sent = s->sending;
		s->sending = NULL;
	}
	return (ssize_t)len;
}

static ssize_t pull_step(struct assignment_stream *s, char *out, size_t size)
{
	if (s->agent->is_removed)
		return -1;
	if (s->sending != NULL)
		return send_line(s, out, size);
	if (s->small.len > 0)
		return send_small(s, out, size);
	if (s->agent->line != NULL && s->agent->line != s->sent) {
		s->sending = s->agent->line;
		s->sending->references++;
		s->sending_pos = 0;
		return send_line(s, out, size);
	}
	if (veer_clock_monotonic_ms(veer_clock_system()) - s->sent_ms >= HEARTBEAT_MS) {
		buf_puts(&s->small, ASSIGN_HEARTBEAT_LINE);
		return send_small(s, out, size);
	}
	return 0;
}

static ssize_t stream_pull(struct api_stream_source *self, char *out, size_t size)
{
	struct assignment_stream *s = (struct assignment_stream *)self;
	(void)pthread_mutex_lock(&s->hub->lock);
	ssize_t len = pull_step(s, out, size);
	if (len > 0)
		s->sent_ms = veer_clock_monotonic_ms(veer_clock_system());
	(void)pthread_mutex_unlock(&s->hub->lock);
	return len;
}

static void stream_open(struct api_stream_source *self, struct api_stream *stream)
{
	struct assignment_stream *s = (struct assignment_stream *)self;
	(void)pthread_mutex_lock(&s->hub->lock);
	s->stream = stream;
	s->next = s->hub->streams;
	if (s->next != NULL)
		s->next->prev = s;
	s->hub->streams = s;
	(void)pthread_mutex_unlock(&s->hub->lock);
}

static void stream_close(struct api_stream_source *self)
{
	struct assignment_stream *s = (struct assignment_stream *)self;
	struct assignment_hub *hub = s->hub;
	(void)pthread_mutex_lock(&hub->lock);
	if (s->stream != NULL) {
		if (s->prev != NULL)
			s->prev->next = s->next;
		else
			hub->streams = s->next;
		if (s->next != NULL)
			s->next->prev = s->prev;
	}
	line_release(s->sending);
	line_release(s->sent);
	if (--s->agent->streams == 0 && s->agent->is_removed)
		agent_free(hub, s->agent);
	(void)pthread_mutex_unlock(&hub->lock);
	buf_deinit(&s->small);
	free(s);
}

struct api_stream_source *assignment_hub_subscribe(struct assignment_hub *hub, const char *agent, const char *region)
{
	struct assignment_stream *s = calloc(1, sizeof *s);
	char *hello = assign_hello_write(hub->store_id, agent, region);
	if (s == NULL || hello == NULL) {
		free(s);
		free(hello);
		return NULL;
	}
	s->source = (struct api_stream_source){stream_open, stream_pull, stream_close};
	s->hub = hub;
	s->sent_ms = veer_clock_monotonic_ms(veer_clock_system());
	buf_init(&s->small, ASSIGNMENTS_CONFIRM_BYTES);
	buf_puts(&s->small, hello);
	free(hello);
	(void)pthread_mutex_lock(&hub->lock);
	s->agent = find_or_add(hub, agent);
	if (s->agent != NULL && s->agent->streams == ASSIGNMENTS_STREAMS_MAX)
		s->agent = NULL;
	if (s->agent != NULL)
		s->agent->streams++;
	(void)pthread_mutex_unlock(&hub->lock);
	if (s->agent == NULL || s->small.failed) {
		buf_deinit(&s->small);
		free(s);
		return NULL;
	}
	return &s->source;
}
