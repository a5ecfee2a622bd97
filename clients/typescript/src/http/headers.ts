import type { UsageDecision } from "../decision.js";
import type { UsageLimitError, UsageLimitInfo } from "../errors.js";

/** A Structured Fields string (RFC 8941): printable ASCII, with anything else percent-encoded. */
function quote(text: string): string {
	const ascii = text.replace(/[^ -~]+/gu, (part) =>
		Array.from(
			new TextEncoder().encode(part),
			(byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
		).join(""),
	);
	return `"${ascii.replace(/["\\]/g, "\\$&")}"`;
}

export interface HeaderOptions {
	/** For how many seconds the quota is (`w` of RateLimit-Policy); a decision does not say. */
	window?: number | undefined;
	/** The instant that the seconds to a reset count from, by default this machine's now. */
	now?: Date | undefined;
}

/**
 * RateLimit-Policy and RateLimit as draft-ietf-httpapi-ratelimit-headers has them, for the limit that the decision names,
 * and Retry-After for a denial that waiting helps against. Without a limit: none of the first two.
 */
export function rateLimitHeaders(
	decision: UsageDecision,
	options: HeaderOptions = {},
): Record<string, string> {
	const headers: Record<string, string> = {};
	const { limitType, limit, remaining, resetAt, retryAfter } = decision;
	if (limitType !== null && limit >= 0) {
		const name = quote(limitType);
		headers["RateLimit-Policy"] =
			`${name};q=${limit}${options.window === undefined ? "" : `;w=${options.window}`}`;
		const now = options.now ?? new Date();
		const seconds =
			retryAfter ??
			(resetAt === null ? null : Math.max(0, Math.ceil((resetAt.getTime() - now.getTime()) / 1000)));
		headers.RateLimit = `${name};r=${remaining ?? 0}${seconds === null ? "" : `;t=${seconds}`}`;
	}
	if (!decision.allowed && retryAfter !== null) headers["Retry-After"] = String(retryAfter);
	return headers;
}

/** The body of a denial: application/problem+json (RFC 9457). */
export interface UsageProblem {
	type: string;
	title: string;
	status: 429 | 402;
	detail: string;
	"violated-policies"?: string[];
	usageLimit: UsageLimitInfo;
}

export function usageProblem(error: UsageLimitError): UsageProblem {
	const usageLimit = error.toJSON();
	if (error.status === 402)
		return { type: "about:blank", title: "Payment Required", status: 402, detail: error.message, usageLimit };
	return {
		type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
		title: "Request cannot be satisfied as assigned quota has been exceeded",
		status: 429,
		detail: error.message,
		...(error.limitType === null ? {} : { "violated-policies": [error.limitType] }),
		usageLimit,
	};
}
