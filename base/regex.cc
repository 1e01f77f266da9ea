/* SPDX-License-Identifier: Apache-2.0 */
/* The one file in C++: RE2 has no other interface. No exception leaves this file. */
extern "C" {
#include "base/regex.h"
}

#include <cstdlib>
#include <cstring>
#include <new>

#include <re2/re2.h>

/* For the compiled expression and the automaton that a match builds. */
static const int64_t memory_bytes = 1 << 20;

struct regex {
	re2::RE2 compiled;

	regex(const char *text, const re2::RE2::Options &options) : compiled(text, options)
	{
	}
};

static re2::RE2::Options make_options()
{
	re2::RE2::Options options(re2::RE2::Latin1);
	options.set_posix_syntax(true);
	options.set_perl_classes(true);
	options.set_word_boundary(true);
	options.set_never_capture(true);
	options.set_log_errors(false);
	options.set_max_mem(memory_bytes);
	return options;
}

static enum veer_err compile(const char *text, struct regex **out, struct veer_diag *diag)
{
	struct regex *made = new regex(text, make_options());
	enum veer_err err = VEER_OK;
	if (!made->compiled.ok() && made->compiled.error_code() == re2::RE2::ErrorPatternTooLarge)
		err = veer_fail(diag, VEER_ERANGE, "too large when compiled");
	else if (!made->compiled.ok())
		err = veer_fail(diag, VEER_EINVAL, "%.200s", made->compiled.error().c_str());
	else if (made->compiled.ProgramSize() > REGEX_STEPS_MAX)
		err = veer_fail(diag, VEER_ERANGE, "too large when compiled: %d steps, at most %d",
				made->compiled.ProgramSize(), REGEX_STEPS_MAX);
	if (err == VEER_OK)
		*out = made;
	else
		delete made;
	return err;
}

extern "C" enum veer_err regex_new(const char *text, struct regex **out, struct veer_diag *diag)
{
	if (std::strlen(text) > REGEX_TEXT_MAX)
		return veer_fail(diag, VEER_ERANGE, "longer than %d bytes", REGEX_TEXT_MAX);
	try {
		return compile(text, out, diag);
	} catch (...) {
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	}
}

extern "C" void regex_free(struct regex **regex)
{
	delete *regex;
	*regex = nullptr;
}

extern "C" bool regex_matches(const struct regex *regex, const void *data, size_t len)
{
	try {
		return re2::RE2::PartialMatch(re2::StringPiece(static_cast<const char *>(data), len), regex->compiled);
	} catch (...) {
		return false;
	}
}
