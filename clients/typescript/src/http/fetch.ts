/** For what speaks Request and Response: Next.js route handlers, Hono, Remix, Deno, Bun, workers. */

import { type AdmitOptions, type AdmitParams, admit } from "../admit.js";
import { UsageLimitError } from "../errors.js";
import type { UsageTracker } from "../tracker.js";
import { rateLimitHeaders, usageProblem } from "./headers.js";

/** The response to an error that is or was caused by a denial; undefined for any other, which is not ours to answer. */
export function problemResponse(error: unknown): Response | undefined {
	const denial = UsageLimitError.from(error);
	if (!denial) return undefined;
	return new Response(JSON.stringify(usageProblem(denial)), {
		status: denial.status,
		headers: { "Content-Type": "application/problem+json", ...rateLimitHeaders(denial.decision) },
	});
}

function withHeaders(response: Response, headers: Record<string, string>): Response {
	// a response that came from fetch has headers that cannot be changed
	const changed = new Response(response.body, response);
	for (const [name, value] of Object.entries(headers)) changed.headers.set(name, value);
	return changed;
}

/** A route handler whose denials, thrown anywhere in it, are answered with 429 and the headers. */
export function routeWithProblems<Args extends unknown[]>(
	handler: (...args: Args) => Response | Promise<Response>,
): (...args: Args) => Promise<Response> {
	return async (...args) => {
		try {
			return await handler(...args);
		} catch (error) {
			const response = problemResponse(error);
			if (response) return response;
			throw error;
		}
	};
}

/** A route handler that runs if the limits admit the request, and is answered with the RateLimit headers either way. */
export function limitRoute<Args extends unknown[]>(
	usage: UsageTracker,
	params: (...args: Args) => AdmitParams | Promise<AdmitParams>,
	handler: (...args: Args) => Response | Promise<Response>,
	options: AdmitOptions = {},
): (...args: Args) => Promise<Response> {
	return routeWithProblems(async (...args: Args) =>
		admit(usage, await params(...args), options, async (decision, failed) => {
			const response = await handler(...args);
			if (response.status >= 400) failed(`HTTP ${response.status}`);
			return withHeaders(response, rateLimitHeaders(decision));
		}),
	);
}

/** What of Hono's Context is used. */
export interface HonoContextLike {
	req: { raw: Request; header(name: string): string | undefined };
	res: Response;
	error: Error | undefined;
	header(name: string, value: string): void;
}

/** A middleware for Hono: the rest runs if the limits admit the request. */
export function limitHono<Context extends HonoContextLike>(
	usage: UsageTracker,
	params: (context: Context) => AdmitParams | Promise<AdmitParams>,
	options: AdmitOptions = {},
): (context: Context, next: () => Promise<void>) => Promise<Response | undefined> {
	return async (context, next) => {
		try {
			await admit(usage, await params(context), options, async (decision, failed) => {
				await next();
				// Hono has turned what was thrown into a response already
				if (context.error) failed(context.error);
				else if (context.res.status >= 400) failed(`HTTP ${context.res.status}`);
				if (!UsageLimitError.from(context.error))
					for (const [name, value] of Object.entries(rateLimitHeaders(decision))) context.header(name, value);
			});
			return undefined;
		} catch (error) {
			const response = problemResponse(error);
			if (response) return response;
			throw error;
		}
	};
}

/**
 * Answers what `usage-limits/react` asks: GET …/limits with the user's limits, GET …/stats?days=30 with his statistics.
 * `userId` is the user that the application has authenticated; without one the answer is 401.
 */
export function usageRoute(
	usage: UsageTracker,
	userId: (request: Request) => string | null | undefined | Promise<string | null | undefined>,
): (request: Request) => Promise<Response> {
	return async (request) => {
		const url = new URL(request.url);
		const user = await userId(request);
		if (user === null || user === undefined) return new Response(null, { status: 401 });
		const json = (body: unknown) => Response.json(body, { headers: { "Cache-Control": "no-store" } });
		if (request.method === "GET" && url.pathname.endsWith("/limits"))
			return json(await usage.getUserLimits(user));
		if (request.method === "GET" && url.pathname.endsWith("/stats")) {
			const days = Number(url.searchParams.get("days") ?? 30);
			if (!Number.isInteger(days) || days < 1 || days > 3650) return new Response(null, { status: 400 });
			return json(await usage.getUserStats(user, days));
		}
		return new Response(null, { status: 404 });
	};
}
