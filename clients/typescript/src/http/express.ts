/** For Express, and for whatever else has Node's response and Express's `next`. */

import { type AdmitOptions, type AdmitParams, admit } from "../admit.js";
import { UsageLimitError } from "../errors.js";
import type { UsageTracker } from "../tracker.js";
import { lifeOf } from "../ttl.js";
import { rateLimitHeaders, usageProblem } from "./headers.js";

/** What of Node's ServerResponse is used. */
export interface NodeResponseLike {
	statusCode: number;
	headersSent: boolean;
	destroyed: boolean;
	setHeader(name: string, value: string): unknown;
	end(...args: unknown[]): unknown;
	once(event: "close", listener: () => void): unknown;
}

type Next = (error?: unknown) => void;

/** An error handler, to be used after the routes: answers denials with 429 and the headers, and passes on the rest. */
export function expressProblems() {
	return (error: unknown, _request: unknown, response: NodeResponseLike, next: Next): void => {
		const denial = UsageLimitError.from(error);
		if (!denial || response.headersSent) {
			next(error);
			return;
		}
		response.statusCode = denial.status;
		for (const [name, value] of Object.entries(rateLimitHeaders(denial.decision)))
			response.setHeader(name, value);
		response.setHeader("Content-Type", "application/problem+json");
		response.end(JSON.stringify(usageProblem(denial)));
	};
}

/**
 * Resolves when the handler ends its response: the client may have gone before, and the work goes on. True then; false
 * when it has not ended it `patience` milliseconds after the client went.
 */
function isEnded(response: NodeResponseLike, patience: number): Promise<boolean> {
	return new Promise((resolve) => {
		let timer: ReturnType<typeof setTimeout> | undefined;
		const { end } = response;
		response.end = function (this: unknown, ...args: unknown[]) {
			clearTimeout(timer);
			resolve(true);
			return Reflect.apply(end, this, args);
		};
		const wait = () => {
			timer = setTimeout(resolve, patience, false);
		};
		// the event comes once, and may have come while the limits were asked
		if (response.destroyed) wait();
		else response.once("close", wait);
	});
}

export interface ExpressOptions extends AdmitOptions {
	/** Gets what goes wrong after the response was sent, when a hold is ended. By default it is written to the console. */
	onError?: ((error: unknown) => void) | undefined;
}

/** A middleware: the request goes on if the limits admit it, else UsageLimitError goes to the error handler. */
export function limitExpress<Request>(
	usage: UsageTracker,
	params: (request: Request) => AdmitParams | Promise<AdmitParams>,
	options: ExpressOptions = {},
) {
	return (request: Request, response: NodeResponseLike, next: Next): void => {
		const run = async () => {
			const given = await params(request);
			await admit(usage, given, options, async (decision, failed) => {
				for (const [name, value] of Object.entries(rateLimitHeaders(decision)))
					response.setHeader(name, value);
				if (!options.hold) return next();
				const ended = isEnded(response, lifeOf(given.ttl));
				next();
				if (!(await ended)) failed("the client has gone");
				else if (response.statusCode >= 400) failed(`HTTP ${response.statusCode}`);
			});
		};
		run().catch((error: unknown) => {
			if (!response.headersSent) next(error);
			else (options.onError ?? console.error)(error);
		});
	};
}
