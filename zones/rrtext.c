/* SPDX-License-Identifier: Apache-2.0 */
/* RDATA as text through ldns, RRsets as JSON. See rrtext.h. */
#include "zones/rrtext.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "zones/model.h"
#include "zones/rdata_check.h"
#include "zones/rrnumbers.h"
#include "zones/zonefile_lines.h"

/* A record must be one line: what ldns would take for the end of a record or of a line is refused before. */
static bool is_one_line(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 && *c != '\t')
			return false;
	return text[0] != '\0';
}

static enum veer_err rdata_of(const ldns_rr *rr, uint8_t **rdata, size_t *rdata_len)
{
	ldns_buffer *buffer = ldns_buffer_new(LDNS_MIN_BUFLEN);
	if (buffer == NULL)
		return VEER_ENOMEM;
	enum veer_err err = VEER_EINVAL;
	if (ldns_rr_rdata2buffer_wire(buffer, rr) == LDNS_STATUS_OK && ldns_buffer_position(buffer) <= UINT16_MAX) {
		size_t len = ldns_buffer_position(buffer);
		uint8_t *copy = malloc(len + 1);
		err = copy != NULL ? VEER_OK : VEER_ENOMEM;
		if (copy != NULL) {
			memcpy(copy, ldns_buffer_begin(buffer), len);
			*rdata = copy;
			*rdata_len = len;
		}
	}
	ldns_buffer_free(buffer);
	return err;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The generic form for any type, "\# LENGTH HEX" with blanks anywhere in HEX (RFC 3597 5); `text` is behind the "\#".
 */
static enum veer_err parse_generic(uint16_t type, const char *text, uint8_t **rdata, size_t *rdata_len,
				   struct veer_diag *diag)
{
	char *end = NULL;
	uint16_t at[RDATA_NAMES_MAX];
	const char *what = "the octets behind \\# are malformed for their type";
	text += strspn(text, " \t");
	unsigned long len = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : UINT16_MAX + 1UL;
	uint8_t *data = len <= UINT16_MAX ? malloc(len + 1) : NULL;
	if (data == NULL)
		return len <= UINT16_MAX ? VEER_ENOMEM : veer_fail(diag, VEER_EINVAL, "\\# needs a length up to 65535");
	size_t digits = 0;
	bool ok = true;
	for (const char *c = end; ok && *c != '\0'; c++) {
		if (*c == ' ' || *c == '\t')
			continue;
		int value = hex_digit(*c);
		ok = value >= 0 && digits < 2 * len;
		if (ok)
			data[digits / 2] = (uint8_t)(digits % 2 == 0 ? value << 4 : data[digits / 2] | value);
		digits++;
	}
	ok = ok && digits == 2 * len;
	if (!ok)
		what = "the digits behind \\# are not as many octets as it says";
	if (!ok || rdata_names(type, data, len, at) < 0 || !rdata_check(type, data, len, &what)) {
		free(data);
		return veer_fail(diag, VEER_EINVAL, "%s", what);
	}
	*rdata = data;
	*rdata_len = len;
	return VEER_OK;
}

static char *print_generic(const uint8_t *rdata, size_t len)
{
	char *text = malloc(2 * len + 16);
	if (text == NULL)
		return NULL;
	int at = snprintf(text, 16, len > 0 ? "\\# %zu " : "\\# %zu", len);
	crypto_hex_encode(rdata, len, text + at);
	return text;
}

/* Is the text a line of a zone file as it stands? ldns does not escape quotes in names. */
static bool is_zone_line(const char *text)
{
	struct line_reader r;
	bool same = line_reader_init(&r, -1, text, strlen(text)) == VEER_OK && line_reader_next(&r, NULL) == VEER_OK &&
		    strcmp(r.text.data, text) == 0;
	line_reader_deinit(&r);
	return same;
}

/* Does the text mean exactly these octets? For some types ldns's own text does not. */
static bool means(uint16_t type, const char *text, const uint8_t *rdata, size_t rdata_len)
{
	uint8_t *again = NULL;
	size_t len;
	if (!is_zone_line(text))
		return false;
	if (rrtext_parse(type, text, (const uint8_t *)"", &again, &len, NULL) != VEER_OK)
		return false;
	bool same = len == rdata_len && memcmp(again, rdata, len) == 0;
	free(again);
	return same;
}

/* `text` without comment and parentheses, as line_reader_next() leaves it. */
static enum veer_err parse_line(uint16_t type, const char *text, const uint8_t *origin, uint8_t **rdata,
				size_t *rdata_len, struct veer_diag *diag)
{
	char type_text[RRSET_TYPE_TEXT_SIZE];
	size_t text_len = strlen(text);
	size_t blanks = strspn(text, " \t");
	if (strncmp(text + blanks, "\\#", 2) == 0)
		return parse_generic(type, text + blanks + 2, rdata, rdata_len, diag);
	rrtype_print(type, type_text);
	size_t size = text_len + sizeof type_text + 16;
	char *line = malloc(size);
	ldns_rdf *origin_rdf = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name_len(origin), origin);
	ldns_rr *rr = NULL;
	const char *what;
	enum veer_err err = VEER_ENOMEM;
	if (line != NULL && origin_rdf != NULL) {
		(void)snprintf(line, size, ". 0 IN %s %s", type_text, text);
		ldns_status status = ldns_rr_new_frm_str(&rr, line, 0, origin_rdf, NULL);
		if (status != LDNS_STATUS_OK || rr == NULL || (uint16_t)ldns_rr_get_type(rr) != type)
			err = veer_fail(diag, VEER_EINVAL, "not a record of type %s: %s", type_text,
					ldns_get_errorstr_by_id(status));
		else if (!rrnumbers_fit(line, type, &what))
			err = veer_fail(diag, VEER_EINVAL, "not a record of type %s: %s", type_text, what);
		else
			err = rdata_of(rr, rdata, rdata_len);
		if (err == VEER_OK && !rdata_check(type, *rdata, *rdata_len, &what)) {
			free(*rdata);
			err = veer_fail(diag, VEER_EINVAL, "not a record of type %s: %s", type_text, what);
		}
	}
	ldns_rr_free(rr);
	ldns_rdf_deep_free(origin_rdf);
	free(line);
	return err;
}

enum veer_err rrtext_parse(uint16_t type, const char *text, const uint8_t *origin, uint8_t **rdata, size_t *rdata_len,
			   struct veer_diag *diag)
{
	struct line_reader r;
	uint8_t *read = NULL;
	size_t read_len = 0;
	size_t text_len = strnlen(text, RRTEXT_MAX + 1);
	if (text_len > RRTEXT_MAX)
		return veer_fail(diag, VEER_ERANGE, "record text over %d bytes", RRTEXT_MAX);
	if (!is_one_line(text))
		return veer_fail(diag, VEER_EINVAL, "a record must be one line of text");
	enum veer_err err = line_reader_init(&r, -1, text, text_len);
	if (err == VEER_OK)
		err = line_reader_next(&r, diag);
	if (err == VEER_OK)
		err = parse_line(type, r.text.data, origin, &read, &read_len, diag);
	else if (err == VEER_ENOTFOUND)
		err = veer_fail(diag, VEER_EINVAL, "there is no record in the text");
	line_reader_deinit(&r);
	if (err != VEER_OK)
		return err;
	*rdata = read;
	*rdata_len = read_len;
	return VEER_OK;
}

enum veer_err rrtext_print(uint16_t type, const uint8_t *rdata, size_t rdata_len, char **text)
{
	if (rdata_len > UINT16_MAX)
		return VEER_EINVAL;
	uint8_t *wire = calloc(1, rdata_len + 11);
	if (wire == NULL)
		return VEER_ENOMEM;
	/* owner ".", type, class IN, TTL 0, RDLENGTH */
	wire[1] = (uint8_t)(type >> 8);
	wire[2] = (uint8_t)type;
	wire[4] = 1;
	wire[9] = (uint8_t)(rdata_len >> 8);
	wire[10] = (uint8_t)rdata_len;
	if (rdata_len > 0)
		memcpy(wire + 11, rdata, rdata_len);
	ldns_rr *rr = NULL;
	size_t pos = 0;
	enum veer_err err = VEER_EINVAL;
	if (ldns_wire2rr(&rr, wire, rdata_len + 11, &pos, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK) {
		char *line = ldns_rr2str_fmt(ldns_output_format_nocomments, rr);
		char *at = line;
		for (int tabs = 0; at != NULL && tabs < 4; tabs++) {
			at = strchr(at, '\t');
			at = at != NULL ? at + 1 : NULL;
		}
		char *copy = at != NULL ? strndup(at, strcspn(at, "\n")) : NULL;
		free(line);
		if (copy == NULL || !means(type, copy, rdata, rdata_len)) {
			free(copy);
			copy = print_generic(rdata, rdata_len);
		}
		err = copy != NULL ? VEER_OK : VEER_ENOMEM;
		if (copy != NULL)
			*text = copy;
	}
	ldns_rr_free(rr);
	free(wire);
	return err;
}

json_t *rrset_object_from_wire(const uint8_t *wire, size_t len)
{
	char *text = malloc(crypto_base64_size(len));
	if (text == NULL)
		return NULL;
	crypto_base64_encode(wire, len, text);
	json_t *object = json_object();
	if (object != NULL && json_object_set_new(object, "wire", json_string(text)) != 0) {
		json_decref(object);
		object = NULL;
	}
	free(text);
	return object;
}

/* The records of `array` as RDATA, composed into a stored object. */
static enum veer_err object_from_records(struct json_cursor *c, const json_t *array, const struct rrset_key *key,
					 uint32_t ttl, json_t **object)
{
	size_t count = json_array_size(array);
	struct rdata_span *records = calloc(count + 1, sizeof *records);
	uint8_t **owned = calloc(count + 1, sizeof *owned);
	uint8_t *wire = NULL;
	size_t wire_len = 0;
	struct veer_diag detail = {.text = ""};
	enum veer_err err = records != NULL && owned != NULL ? VEER_OK : VEER_ENOMEM;
	char pointer[32] = "records";
	for (size_t i = 0; i < count && err == VEER_OK; i++) {
		const char *text = json_string_value(json_array_get(array, i));
		(void)snprintf(pointer, sizeof pointer, "records/%zu", i);
		if (text == NULL)
			err = veer_fail(&detail, VEER_EINVAL, "must be a string");
		else
			err = rrtext_parse(key->type, text, key->zone, &owned[i], &records[i].len, &detail);
		records[i].data = owned[i];
	}
	if (err == VEER_OK) {
		(void)snprintf(pointer, sizeof pointer, "records");
		err = rrset_compose(key->owner, key->type, ttl, records, count, &wire, &wire_len, &detail);
	}
	if (err == VEER_OK) {
		*object = rrset_object_from_wire(wire, wire_len);
		err = *object != NULL ? VEER_OK : VEER_ENOMEM;
	}
	if (err != VEER_OK && c->err == VEER_OK) {
		c->err = err;
		(void)veer_fail(c->diag, err, "%s/%s: %s", c->pointer, pointer,
				detail.text[0] != '\0' ? detail.text : veer_err_text(err));
	}
	for (size_t i = 0; owned != NULL && i < count; i++)
		free(owned[i]);
	free(owned);
	free(records);
	free(wire);
	return err;
}

static void read_name_and_type(struct json_cursor *c, struct rrset_key *key)
{
	struct veer_diag detail;
	const char *name = veer_json_str(c, "name", NAME_TEXT_SIZE);
	const char *type = veer_json_str(c, "type", RRSET_TYPE_TEXT_SIZE);
	if (c->err != VEER_OK)
		return;
	enum veer_err err = name_parse(name, strlen(name), key->zone, key->owner, &key->owner_len, &detail);
	if (err != VEER_OK) {
		veer_json_fail(c, "name", err, "%s", detail.text);
		return;
	}
	name_lower(key->owner, key->owner_len);
	if (!name_is_under(key->owner, key->zone))
		veer_json_fail(c, "name", VEER_EINVAL, "is outside the zone");
	if (!rrtype_parse(type, strlen(type), &key->type))
		veer_json_fail(c, "type", VEER_EINVAL, "is no record type");
	else if (rrtype_is_meta(key->type))
		veer_json_fail(c, "type", VEER_EINVAL, "records of this type are never stored");
}

static json_t *object_from_policy(struct json_cursor *c, const struct rrset_key *key, const char *policy)
{
	if (veer_json_has(c, "records") || veer_json_has(c, "ttl"))
		veer_json_fail(c, "policy", VEER_EINVAL, "excludes \"records\" and \"ttl\"");
	if (!model_is_name(policy))
		veer_json_fail(c, "policy", VEER_EINVAL, "must be a policy's name");
	if (key->type != RRTYPE_A && key->type != RRTYPE_AAAA && key->type != RRTYPE_CNAME)
		veer_json_fail(c, "type", VEER_EINVAL, "only A, AAAA and CNAME can be bound to a policy");
	return c->err == VEER_OK ? json_pack("{s:s}", "policy", policy) : NULL;
}

enum veer_err rrset_from_api(const json_t *api, const uint8_t *zone, uint64_t version, struct rrset_key *key,
			     json_t **object, struct veer_diag *diag)
{
	struct json_cursor c;
	struct rrset_key read = {.version = version, .zone_len = name_len(zone)};
	json_t *made = NULL;
	memcpy(read.zone, zone, read.zone_len);
	name_lower(read.zone, read.zone_len);
	veer_json_begin(&c, api, "", diag);
	read_name_and_type(&c, &read);
	const char *policy = veer_json_str_or(&c, "policy", MODEL_NAME_MAX, NULL);
	if (policy != NULL && c.err == VEER_OK) {
		made = object_from_policy(&c, &read, policy);
	} else if (c.err == VEER_OK) {
		uint32_t ttl = (uint32_t)veer_json_int(&c, "ttl", 0, RRSET_TTL_MAX);
		const json_t *records = veer_json_array(&c, "records", RRSET_RECORDS_MAX, true);
		if (c.err == VEER_OK)
			(void)object_from_records(&c, records, &read, ttl, &made);
	}
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK && made == NULL)
		err = VEER_ENOMEM;
	if (err != VEER_OK) {
		json_decref(made);
		return err;
	}
	*key = read;
	*object = made;
	return VEER_OK;
}

enum veer_err rrset_object_read(const struct rrset_key *key, const json_t *object, const char **policy, uint8_t **wire,
				struct rrset_view *view, struct veer_diag *diag)
{
	const char *bound = json_string_value(json_object_get(object, "policy"));
	const char *text = json_string_value(json_object_get(object, "wire"));
	if (bound != NULL && text == NULL && model_is_name(bound)) {
		*policy = bound;
		*wire = NULL;
		return VEER_OK;
	}
	if (text == NULL || bound != NULL)
		return veer_fail(diag, VEER_EINVAL, "an RRset has either \"wire\" or \"policy\"");
	size_t text_len = strlen(text);
	size_t size = text_len / 4 * 3 + 3;
	uint8_t *data = malloc(size);
	struct rrset_view read;
	size_t len;
	if (data == NULL)
		return VEER_ENOMEM;
	enum veer_err err = crypto_base64_decode(text, text_len, data, size, &len);
	if (err != VEER_OK)
		(void)veer_fail(diag, err, "\"wire\" is not base64");
	else
		err = rrset_check(data, len, &read, diag);
	if (err == VEER_OK && (read.type != key->type || !name_equal(read.owner, key->owner)))
		err = veer_fail(diag, VEER_EINVAL, "an RRset's key and records differ in owner or type");
	if (err != VEER_OK) {
		free(data);
		return err;
	}
	*policy = NULL;
	*wire = data;
	*view = read;
	return VEER_OK;
}

static enum veer_err add_records(const struct rrset_view *view, json_t *records)
{
	struct rdata_span rdata;
	for (size_t pos = 0; rrset_next(view, &pos, &rdata);) {
		char *text;
		enum veer_err err = rrtext_print(view->type, rdata.data, rdata.len, &text);
		if (err != VEER_OK)
			return err;
		int failed = json_array_append_new(records, json_string(text));
		free(text);
		if (failed)
			return VEER_ENOMEM;
	}
	return VEER_OK;
}

enum veer_err rrset_to_api(const struct rrset_key *key, const json_t *object, json_t **api, struct veer_diag *diag)
{
	const char *policy;
	uint8_t *wire;
	struct rrset_view view;
	char name[NAME_TEXT_SIZE];
	char type[RRSET_TYPE_TEXT_SIZE];
	enum veer_err err = rrset_object_read(key, object, &policy, &wire, &view, diag);
	if (err != VEER_OK)
		return err == VEER_ENOMEM ? err : VEER_ECORRUPT;
	(void)name_print(key->owner, name, sizeof name);
	rrtype_print(key->type, type);
	json_t *out;
	if (policy != NULL) {
		out = json_pack("{s:s, s:s, s:s}", "name", name, "type", type, "policy", policy);
	} else {
		json_t *records = json_array();
		err = records != NULL ? add_records(&view, records) : VEER_ENOMEM;
		out = json_pack("{s:s, s:s, s:I, s:o}", "name", name, "type", type, "ttl", (json_int_t)view.ttl,
				"records", records);
	}
	free(wire);
	if (out == NULL && err == VEER_OK)
		err = VEER_ENOMEM;
	if (err != VEER_OK) {
		json_decref(out);
		return err;
	}
	*api = out;
	return VEER_OK;
}
