/* SPDX-License-Identifier: Apache-2.0 */
/* Internals of rdata_text: what the readers and printers of fields share. For rdata_*.c only. */
#ifndef VEER_ZONES_DNS_RDATA_IMPL_H
#define VEER_ZONES_DNS_RDATA_IMPL_H

#include "base/bytes.h"
#include "zones/dns/rdata_form.h"
#include "zones/dns/rdata_text.h"

/* RDATA being read from text. The first error stays; whatever is read after it does not count. */
struct rdata_reader {
	const char *at; /* the text that is left */
	const uint8_t *origin;
	struct byte_writer w;
	const char *what; /* what is wrong; NULL while nothing is wrong */
	bool is_out_of_memory;
};

/* A word of the text, in place. */
struct rdata_word {
	const char *text; /* without its quotation marks */
	size_t len;
	bool is_quoted;
};

/* Note what is wrong, unless something was before. Returns false. */
bool rdata_fail(struct rdata_reader *r, const char *what);

/* Is there another word? */
bool rdata_has_word(struct rdata_reader *r);

/* The next word, which must exist. */
bool rdata_word(struct rdata_reader *r, struct rdata_word *out);
/* The same for a word that must not be in quotation marks. */
bool rdata_plain_word(struct rdata_reader *r, struct rdata_word *out);

/* Decode a word's escapes (RFC 1035 5.1) from `*text` on: the next octet, or -1 for a malformed escape. */
int rdata_octet(const char **text, const char *end);

/* Append a word's octets with its escapes decoded, after a length octet when `has_length`. */
bool rdata_write_word(struct rdata_reader *r, const struct rdata_word *word, bool has_length);

/* A decimal number up to `max` in a word. */
bool rdata_number(const char *text, size_t len, uint32_t max, uint32_t *out);
/* The next word as a number, written in `octets` (1, 2 or 4) octets. */
bool rdata_read_number(struct rdata_reader *r, size_t octets, uint32_t *out);

/* The next word as a domain name. */
bool rdata_read_name(struct rdata_reader *r);
/* An address in a word. */
bool rdata_write_ipv4(struct rdata_reader *r, const char *text, size_t len);
/* An IPv6 address in a word, as its 16 octets. */
bool rdata_write_ipv6(struct rdata_reader *r, const char *text, size_t len);

/* Octets in hex, from one word; at least one octet. */
bool rdata_write_hex(struct rdata_reader *r, const char *text, size_t len);
/* Octets in hex, from all words that are left; at least one octet. */
bool rdata_read_hex_rest(struct rdata_reader *r);
/* Octets in base64, from one word. */
bool rdata_write_base64(struct rdata_reader *r, const char *text, size_t len);
/* Octets in base64, from all words that are left; at least one octet. */
bool rdata_read_base64_rest(struct rdata_reader *r);
/* The value of a hex digit of either case; -1 for another character. */
int rdata_hex_digit(char c);

/* Fields with a form of their own. */
bool rdata_read_location(struct rdata_reader *r);
/* The list of address prefixes of an APL record (RFC 3123 4). */
bool rdata_read_prefixes(struct rdata_reader *r);
/* The parameters of an SVCB or HTTPS record (RFC 9460 2.1), sorted by their keys. */
bool rdata_read_params(struct rdata_reader *r);
/* A field that only one type has. */
bool rdata_read_special(struct rdata_reader *r, enum rdata_field field);

/* RDATA being printed. */
struct rdata_printer {
	struct byte_reader in;
	struct buf *out;
	const char *what; /* what is wrong with the octets; NULL while nothing is wrong */
	bool has_word;    /* something was printed already, so a blank comes before the next word */
	bool is_other;    /* the octets are valid, but of a version or kind that has no text */
};

/* Note that the octets are of a version or kind without text of its own. Returns false. */
bool rdata_print_other(struct rdata_printer *p);
/* Note what is wrong with the octets. Returns false. */
bool rdata_print_fail(struct rdata_printer *p, const char *what);
/* A blank between words. */
void rdata_print_blank(struct rdata_printer *p);
/* Octets in hex, without a blank before them. */
void rdata_print_hex(struct rdata_printer *p, const uint8_t *data, size_t len);
/* Octets in base64, without a blank before them. */
void rdata_print_base64(struct rdata_printer *p, const uint8_t *data, size_t len);
/* Octets in quotation marks. */
void rdata_print_quoted(struct buf *out, const uint8_t *data, size_t len);
/* Print the next octets as an absolute domain name. False when they are not a name. */
bool rdata_print_name(struct rdata_printer *p);
/* An address of `family` (AF_INET or AF_INET6) as a word. */
void rdata_print_address(struct rdata_printer *p, int family, const uint8_t *data);

/* The octets of a LOC record (RFC 1876 3). */
bool rdata_print_location(struct rdata_printer *p);
/* The list of address prefixes of an APL record. */
bool rdata_print_prefixes(struct rdata_printer *p);
/* The parameters of an SVCB or HTTPS record. */
bool rdata_print_params(struct rdata_printer *p);
/* A field that one type alone has. */
bool rdata_print_special(struct rdata_printer *p, enum rdata_field field);

/* Names of numbers: "RSASHA256" to 8, "PKIX" to 1, "SHA256" to 2, in any case. */
bool rdata_algorithm_named(const char *text, size_t len, uint32_t *out);
/* A digest type of DS (IANA, "Delegation Signer Resource Record Digest Algorithms"). */
bool rdata_digest_named(const char *text, size_t len, uint32_t *out);
/* A certificate type of CERT (RFC 4398 2.1). */
bool rdata_cert_type_named(const char *text, size_t len, uint32_t *out);

#endif
