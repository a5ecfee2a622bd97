-- Decisions in HTTP.

CREATE FUNCTION usage_headers(
	decision usage_decision,
	OUT name text,
	OUT value text
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE ROWS 3;
COMMENT ON FUNCTION usage_headers IS
'The fields of an HTTP response that tell a decision: ratelimit-policy and ratelimit (IETF draft-ietf-httpapi-ratelimit-headers-10), and retry-after when denied and it is known; none where nothing is limited. The policy is named after the limit; its window is nominal (a month has 30 days). A null decision is 22004.';

CREATE FUNCTION usage_problem(decision usage_decision) RETURNS jsonb
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION usage_problem IS
'The body of an HTTP response with status 429 that tells a denial: problem details (RFC 9457) of the draft''s type quota-exceeded; null when allowed. A null decision is 22004.';
