# SPDX-License-Identifier: Apache-2.0
"""The types of errors: with which statuses each comes, and when. tests/functional/test_openapi.py compares them with what
the sources send."""

PREFIX = "urn:veer:problem:"
ERRORS = {
    "malformed": ((400,), "invalid JSON, an invalid path or query, or a head that RFC 9112 does not allow"),
    "unknown-parameter": ((400,), "a query parameter that this route does not have"),
    "credentials": ((401,), "the credential is missing or not good"),
    "enrolment": ((401,), "the enrolment token is not known, was used, or is too old"),
    "scope": ((403,), "the token lacks the scope"),
    "role": ((403,), "the credential is not for this route"),
    "object": ((403,), "the token may not touch this object"),
    "not-found": ((404,), "there is no such route or object"),
    "method": ((405,), "the path is known, but not with this method: see Allow"),
    "conflict": ((409,), "somebody else changed it meanwhile: read it again"),
    "exists": ((409,), "there is one of this name already"),
    "in-use": ((409,), "another object refers to it"),
    "required": ((409,), "a zone needs its SOA and NS"),
    "would-empty": ((409,), "nothing would be left to answer with"),
    "region": ((409,), "the enrolment token is for another region"),
    "not-quarantined": ((409,), "the name server keeps no store in quarantine"),
    "assignments": ((409,), "the report is for other assignments, or not newer than the last"),
    "precondition": ((412,), "If-Match or If-None-Match does not hold"),
    "invalid": ((422,), "the body is not what the schema says, or contradicts other objects"),
    "too-large": ((413, 422), "the body is too long, or the object is larger than the store takes"),
    "no-room": ((422, 503), "there are as many as there may be, or no room for a full state"),
    "share": ((429,), "the sender has used up its share: see Retry-After"),
    "internal": ((500,), "an error that is not the client's"),
    "unreadable": ((500,), "what is stored cannot be read"),
    "coding": ((501,), "a Transfer-Encoding other than chunked"),
    "busy": ((409, 503), "another such request is under way, or the places for all are taken"),
    "stopping": ((503,), "the server is stopping"),
    "store-replaced": ((503,), "the store was put back while in use"),
    "disk-full": ((507,), "the disk is nearly full"),
}
OTHER = (409, 429, 500, 501, 503, 507)  # what every operation may reply besides


def known_type():
    """The schema of a problem's type."""
    return {"type": "string", "description": "what kind of error it is", "oneOf": [
        {"const": PREFIX + slug, "description": f"{', '.join(map(str, statuses))}: {when}"}
        for slug, (statuses, when) in ERRORS.items()]}


def content(*statuses):
    """The body of an error with one of these statuses."""
    types = [PREFIX + slug for slug, (known, _) in ERRORS.items() if set(known) & set(statuses)]
    more = {"type": {"enum": types}} | ({"status": {"const": statuses[0]}} if len(statuses) == 1 else {})
    return {"application/problem+json": {"schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": more}]}}}
