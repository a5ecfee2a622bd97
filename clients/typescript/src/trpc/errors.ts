import { TRPCError } from "@trpc/server";
import { UsageLimitError, type UsageLimitInfo } from "../errors.js";
import { rateLimitHeaders } from "../http/headers.js";

/** The tRPC error of a denial: TOO_MANY_REQUESTS, or PAYMENT_REQUIRED for a lack of credits. */
export function toTRPCError(denial: UsageLimitError): TRPCError {
	return new TRPCError({
		code: denial.status === 402 ? "PAYMENT_REQUIRED" : "TOO_MANY_REQUESTS",
		message: denial.message,
		cause: denial,
	});
}

/** Throws what a denial has caused as the tRPC error of it. */
export function rethrow(error: unknown): void {
	const denial = UsageLimitError.from(error);
	if (denial) throw toTRPCError(denial);
}

/**
 * An error formatter, or a part of one, that lets the denial reach the client: `error.data.usageLimit` there, which
 * `usageLimitOf` reads.
 */
export function usageErrorFormatter<Shape extends { data: object }>({
	shape,
	error,
}: {
	shape: Shape;
	error: TRPCError;
}): Shape & { data: { usageLimit: UsageLimitInfo | null } } {
	return { ...shape, data: { ...shape.data, usageLimit: UsageLimitError.from(error)?.toJSON() ?? null } };
}

/**
 * The headers of a denial, for the `responseMeta` of a tRPC adapter: RateLimit, RateLimit-Policy and Retry-After. Of
 * several in a batch, those of the one that keeps the client out longest.
 */
export function usageResponseMeta({ errors }: { errors: readonly unknown[] }): {
	headers?: Record<string, string>;
} {
	const denials = errors.map((error) => UsageLimitError.from(error)).filter((denial) => denial !== undefined);
	const waitOf = (denial: UsageLimitError) => denial.retryAfter ?? Number.POSITIVE_INFINITY;
	const [longest] = denials.sort((a, b) => waitOf(b) - waitOf(a));
	return longest ? { headers: rateLimitHeaders(longest.decision) } : {};
}
